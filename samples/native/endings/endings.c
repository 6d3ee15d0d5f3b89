/*
 * Keeps 1000 blocks of 1000 bytes and releases 500 of 300, then ends as its argument says.
 *
 *   endings return|exit|_exit|abort|segv|kill|thread|last-thread|last-thread-waits
 *   endings fork|fork-exec|vfork-exec|posix-spawn|system|exec
 *
 * `thread` calls exit from a second thread; with `last-thread` the first one is gone when a second one allocates, or waits for
 * a byte of input. The modes of the second line have a child that keeps 200 blocks of 2000 bytes, in the same image after a
 * bare `fork`, else in a new one; `exec` becomes it, the others wait for it and return.
 */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *volatile s_sink;
static int *volatile s_nowhere;

__attribute__((noipa)) static void keep_blocks(void) {
  for (int i = 0; i < 1000; i++) s_sink = malloc(1000);
}

__attribute__((noipa)) static void release_blocks(void) {
  void *blocks[500];
  for (int i = 0; i < 500; i++) blocks[i] = malloc(300);
  for (int i = 0; i < 500; i++) free(blocks[i]);
}

__attribute__((noipa)) static void keep_child_blocks(void) {
  for (int i = 0; i < 200; i++) s_sink = malloc(2000);
}

static void *exit_process(void *code) { exit(*(int *)code); }

/** Ends the whole process from a thread that is not the first one. */
static void exit_from_thread(void) {
  pthread_t thread;
  int code = 0;
  pthread_create(&thread, NULL, exit_process, &code);
  pthread_join(thread, NULL);
}

static void *allocate_late(void *unused) {
  usleep(700000);
  keep_blocks();
  release_blocks();
  return unused;
}

static void *wait_for_input(void *unused) {
  getchar();
  return unused;
}

/** The process goes on without its first thread, and ends with the second. */
static void leave_to_thread(void *(*work)(void *)) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
  pthread_exit(NULL);
}

static int wait_for(pid_t child) {
  int status;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
  const char *mode = argc == 2 ? argv[1] : "";
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  char *child[] = {path, "child", NULL};
  pid_t pid;

  if (strcmp(mode, "child") == 0) {
    keep_child_blocks();
    return 0;
  }
  if (strcmp(mode, "last-thread") == 0) leave_to_thread(allocate_late);
  if (strcmp(mode, "last-thread-waits") == 0) leave_to_thread(wait_for_input);
  keep_blocks();
  release_blocks();

  if (strcmp(mode, "return") == 0) return 0;
  if (strcmp(mode, "exit") == 0) exit(0);
  if (strcmp(mode, "_exit") == 0) _exit(0);
  if (strcmp(mode, "abort") == 0) abort();
  if (strcmp(mode, "segv") == 0) return *s_nowhere;
  if (strcmp(mode, "kill") == 0) return kill(getpid(), SIGKILL);
  if (strcmp(mode, "thread") == 0) exit_from_thread();
  if (strcmp(mode, "exec") == 0) return execv(path, child);
  if (strcmp(mode, "posix-spawn") == 0) return posix_spawn(&pid, path, NULL, NULL, child, environ) ? 1 : wait_for(pid);
  if (strcmp(mode, "fork") == 0) {
    pid = fork();
    if (pid == 0) {
      keep_child_blocks();
      exit(0);
    }
    return wait_for(pid);
  }
  if (strcmp(mode, "fork-exec") == 0) {
    pid = fork();
    if (pid == 0) _exit(execv(path, child));
    return wait_for(pid);
  }
  if (strcmp(mode, "vfork-exec") == 0) {
    pid = vfork();
    if (pid == 0) _exit(execv(path, child));
    return wait_for(pid);
  }
  if (strcmp(mode, "system") == 0) {
    char command[sizeof path + 16];
    snprintf(command, sizeof command, "'%s' child", path);
    return system(command);
  }

  fputs("usage: endings return|exit|_exit|abort|segv|kill|thread|last-thread|last-thread-waits\n"
        "               fork|fork-exec|vfork-exec|posix-spawn|system|exec\n",
        stderr);
  return 2;
}
