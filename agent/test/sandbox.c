/*
 * A program that gives up system calls in the ways that programs do: `sandbox CASE [LIBRARY DIRECTORY]`. With a library it
 * attaches the agent to itself before. What it prints and how it ends is the same with the agent as alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))

static void say(const char *text) {
  if (write(1, text, strlen(text)) < 0) syscall(SYS_exit, 98);
}

static void check(int holds, const char *what) {
  if (holds) return;
  say(what);
  syscall(SYS_exit_group, 97);
}

/* By the instruction itself, as libraries that trust no libc do. */
static long raw(long number, long a, long b, long c) {
  long result;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}
static long by_prctl(long number, long a, long b, long c) {
  (void)number;
  return prctl((int)a, b, c, 0, 0);
}
static long by_syscall(long number, long a, long b, long c) { return syscall(number, a, b, c, 0L, 0L); }

static __attribute__((noinline)) void *deep(int depth) {
  if (depth == 0) return malloc(33);
  void *block = deep(depth - 1);
  __asm__ volatile("" ::"r"(block) : "memory");
  return block;
}

static void work(unsigned seed, int count) {
  void *kept[64] = {0};
  for (int i = 0; i < count; i++) {
    seed = seed * 1664525 + 1013904223;
    void **block = &kept[seed >> 26];
    free(*block);
    *block = malloc(16 + (seed >> 8) % 500);
  }
  for (size_t i = 0; i < LENGTH(kept); i++) free(kept[i]);
  for (int depth = 0; depth < count / 100 && depth < 90; depth++) free(deep(depth));
}

static void *in_thread(void *seed) {
  work((unsigned)(size_t)seed, 20000);
  return NULL;
}

/* Threads, a child that allocates, a child that execs. */
static void more(int exec) {
  pthread_t threads[3];
  for (size_t i = 0; i < LENGTH(threads); i++) check(pthread_create(&threads[i], NULL, in_thread, (void *)(i + 5)) == 0, "thread\n");
  for (size_t i = 0; i < LENGTH(threads); i++) pthread_join(threads[i], NULL);
  int status;
  pid_t child = fork();
  if (child == 0) {
    work(9, 5000);
    _exit(3);
  }
  check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3, "child\n");
  if (!exec) return;
  if ((child = fork()) == 0) {
    execl("/bin/sh", "sh", "-c", "exit 4", (char *)NULL);
    _exit(1);
  }
  check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 4, "program\n");
}

typedef long (*caller)(long number, long a, long b, long c);
static struct sock_filter code[512];
static unsigned used;
static void add(uint16_t operation, uint32_t k, uint8_t yes, uint8_t no) { code[used++] = (struct sock_filter){operation, yes, no, k}; }

static void begin(void) {
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}
static void on(const int *numbers, unsigned count, uint32_t action) {
  for (unsigned i = 0; i < count; i++) {
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], 0, 1);
    add(BPF_RET | BPF_K, action, 0, 0);
  }
}
static void end(uint32_t action) { add(BPF_RET | BPF_K, action, 0, 0); }

static void install(caller call, int seccomp_flags) {
  struct sock_fprog program = {(unsigned short)used, code};
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs\n");
  long result = seccomp_flags < 0 ? call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program)
                                  : call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp_flags, (long)&program);
  check(result == 0, "seccomp\n");
  used = 0;
}

static void after_strict(void) {
  for (unsigned round = 0; round < 20; round++) work(round, 2000);
  for (int depth = 0; depth < 150; depth++) free(deep(depth));
  say("strict\n");
  syscall(SYS_exit, 11);
}
static void strict(void) {
  check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0, "prctl\n");
  after_strict();
}
static void strict_by_syscall(void) {
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0, "seccomp\n");
  after_strict();
}
/* Unnoticed: what it does it has done before. */
static void strict_raw(void) {
  static void *kept[4000];
  for (size_t i = 0; i < LENGTH(kept); i++) kept[i] = malloc(500);
  for (size_t i = 0; i < LENGTH(kept); i++) free(kept[i]);
  for (volatile int round = 0; round < 20; round++) {
    if (round == 3) check(raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0) == 0, "prctl\n");
    work(1, 20000);
  }
  say("strict\n");
  raw(SYS_exit, 12, 0, 0);
}

static const int allocator[] = {SYS_read,   SYS_write,   SYS_exit,  SYS_exit_group,   SYS_brk,      SYS_mmap,
                                SYS_munmap, SYS_mremap, SYS_futex, SYS_rt_sigreturn, SYS_mprotect, SYS_madvise};
static void only_allocator(caller call, unsigned count) {
  begin();
  on(allocator, count, SECCOMP_RET_ALLOW);
  end(SECCOMP_RET_KILL_PROCESS);
  install(call, -1);
  void *kept[3000];
  for (unsigned round = 0; round < 5; round++) work(round, 10000);
  for (size_t i = 0; i < LENGTH(kept); i++) kept[i] = malloc(300);
  for (size_t i = 0; i < LENGTH(kept); i++) free(kept[i]);
  free(realloc(malloc(1 << 20), 8 << 20));
  say("sandboxed\n");
  syscall(SYS_exit_group, 13);
}
static void allow(void) { only_allocator(by_prctl, LENGTH(allocator)); }
static void allow_raw(void) { only_allocator(raw, LENGTH(allocator)); }
static void allow_fewer(void) { only_allocator(by_syscall, LENGTH(allocator) - 1); }

static const int opens[] = {SYS_open, SYS_openat, SYS_creat, SYS_process_vm_readv, SYS_gettid, SYS_prlimit64, SYS_membarrier};
static void deny(caller call, int flags, uint32_t action, int raw_after) {
  begin();
  on(opens, LENGTH(opens), action);
  end(SECCOMP_RET_ALLOW);
  install(call, flags);
  work(2, 20000);
  more(0);
  say("denied\n");
  if (raw_after) _exit(14);
}
static void deny_kill(void) { deny(by_prctl, -1, SECCOMP_RET_KILL_PROCESS, 1); }
static void deny_raw(void) { deny(raw, -1, SECCOMP_RET_KILL_PROCESS, 1); }
static void deny_trap(void) { deny(by_syscall, 0, SECCOMP_RET_TRAP, 1); }
static void deny_error(void) { deny(by_syscall, 0, SECCOMP_RET_ERRNO | ENOSYS, 1); }

/* For all threads, of which three are at work; and a second filter on top of the first. */
static _Atomic int going = 1;
static void *keep_going(void *seed) {
  for (unsigned i = 0; going; i++) work((unsigned)(size_t)seed + i, 1000);
  return NULL;
}
static void all_threads(void) {
  pthread_t threads[3];
  for (size_t i = 0; i < LENGTH(threads); i++) pthread_create(&threads[i], NULL, keep_going, (void *)i);
  usleep(20000);
  deny(by_syscall, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_RET_KILL_PROCESS, 0);
  begin();
  on((int[]){SYS_madvise, SYS_prctl}, 2, SECCOMP_RET_ERRNO | EPERM);
  end(SECCOMP_RET_ALLOW);
  install(by_syscall, SECCOMP_FILTER_FLAG_TSYNC);
  usleep(20000);
  going = 0;
  for (size_t i = 0; i < LENGTH(threads); i++) pthread_join(threads[i], NULL);
  more(0);
  say("all threads\n");
}

/* By an argument, with jumps and arithmetic as libseccomp and Chromium's compiler make them: madvise of 23 kills. */
static void by_argument(void) {
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
  begin();
  add(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 7);
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]), 0, 0);
  add(BPF_ST, 3, 0, 0);
  add(BPF_LDX | BPF_W | BPF_MEM, 3, 0, 0);
  add(BPF_MISC | BPF_TXA, 0, 0, 0);
  add(BPF_ALU | BPF_SUB | BPF_K, 23, 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
  end(SECCOMP_RET_KILL_PROCESS);
  end(SECCOMP_RET_ALLOW);
  install(by_syscall, 0);
  for (unsigned round = 0; round < 5; round++) work(round, 10000);
  for (int i = 0; i < 100000; i++) check(malloc(20) != NULL, "malloc\n");
  more(1);
  say("by argument\n");
}

/* A filter that does not stand in our way; and one that the kernel refuses. */
static void wide(void) {
  begin();
  on((int[]){SYS_ptrace, SYS_reboot, SYS_kexec_load}, 3, SECCOMP_RET_KILL_PROCESS);
  end(SECCOMP_RET_ALLOW);
  struct sock_fprog broken = {1, &(struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, 4000}};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &broken) == -1 && errno == EINVAL, "refused filter\n");
  install(by_syscall, 0);
  more(1);
  for (int i = 0; i < 5000; i++) check(malloc(1000) != NULL, "malloc\n");
  say("wide\n");
}

static void no_tsc(void) {
  check(prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) == 0, "prctl\n");
  work(3, 20000);
  say("no time stamps\n");
}

static void attach(const char *library, const char *directory) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/tmp/memsurge-agent-%d.cfg", getpid());
  int length = snprintf(text, sizeof text, "exact,65536,%s\n", directory);
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  check(fd >= 0 && write(fd, text, (size_t)length) == length, "configuration\n");
  close(fd);
  void *handle = dlopen(library, RTLD_NOW);
  int (*start)(const char *) = NULL;
  if (handle != NULL) *(void **)&start = dlsym(handle, "memsurge_attach_start");
  check(start != NULL && start(NULL) == 0, "start\n");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {{"strict", strict},       {"strict_by_syscall", strict_by_syscall}, {"strict_raw", strict_raw}, {"allow", allow},
               {"allow_raw", allow_raw}, {"allow_fewer", allow_fewer},             {"deny_kill", deny_kill},   {"deny_raw", deny_raw},
               {"deny_trap", deny_trap}, {"deny_error", deny_error},               {"all_threads", all_threads}, {"by_argument", by_argument},
               {"wide", wide},           {"no_tsc", no_tsc}};
  check(argc == 2 || argc == 4, "usage: sandbox CASE [LIBRARY DIRECTORY]\n");
  if (argc == 4) attach(argv[2], argv[3]);
  work(1, 2000);
  for (size_t i = 0; i < LENGTH(cases); i++) {
    if (strcmp(cases[i].name, argv[1]) == 0) return cases[i].run(), 15;
  }
  return 96;
}
