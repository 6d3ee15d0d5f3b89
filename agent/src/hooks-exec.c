/*
 * Hooks on the ways to start a program, only to start it without the agent where it cannot bear it (bears.h), or where its
 * loader will not find the library: another root, another user; and to leave word where the agent will not be in it. Everything is on the stack: a child made by vfork shares
 * its parent's memory.
 */
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "bears.h"
#include "hooks.h"
#include "real.h"
#include "strangers.h"

#define PRELOAD "LD_PRELOAD="
#define ASKED "MEMSURGE_AGENT="
#define MOST_VARIABLES 65536

extern char **environ;

static size_t length_of(char *const *list) {
  size_t length = 0;
  while (list != NULL && list[length] != NULL) length++;
  return length;
}

/* As ld.so separates them. */
static bool is_separator(char c) { return c == ':' || c == ' '; }

static bool is_our_library(const char *path, size_t length) {
  static const char *const names[] = {"/libmemsurge.so", "/libmemsurge-tls.so"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t bytes = strlen(names[i]);
    if (length >= bytes && memcmp(path + length - bytes, names[i], bytes) == 0) return true;
  }
  return false;
}

/* Copies a list of libraries without ours; returns whether it was there. `to` has room for all of it. */
static bool without_us(const char *from, char *to) {
  bool found = false;
  char *start = to;
  while (*from != 0) {
    size_t length = 0;
    while (from[length] != 0 && !is_separator(from[length])) length++;
    if (is_our_library(from, length)) {
      found = true;
    } else if (length > 0) {
      if (to != start) *to++ = ':';
      memcpy(to, from, length);
      to += length;
    }
    from += length;
    while (is_separator(*from)) from++;
  }
  *to = 0;
  return found;
}

static const char *preload_of(char *const *environment) {
  for (; environment != NULL && *environment != NULL; environment++) {
    if (strncmp(*environment, PRELOAD, sizeof PRELOAD - 1) == 0) return *environment + sizeof PRELOAD - 1;
  }
  return NULL;
}

static const char *own_path;

/* Not when it is needed: a child of fork may find the loader's lock, which dladdr takes, held for ever. */
__attribute__((constructor)) static void find_own_path(void) {
  Dl_info own;
  if (dladdr((const void *)find_own_path, &own) != 0) own_path = own.dli_fname;
}

/* The loader complains of a library that it cannot open. */
static bool can_be_loaded(void) {
  if (own_path == NULL) return true;
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, own_path, O_RDONLY | O_CLOEXEC, 0);
  if (fd == -EPERM_RESULT) return true; /* a sandbox's answer: agent_lacks has seen to it */
  if (fd < 0) return false;
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  return true;
}

/* `copied` has room for all variables and the end; `list` for the value of LD_PRELOAD with its name. */
static char *const *stripped(char *const *environment, char **copied, char *list) {
  size_t count = 0;
  memcpy(list, PRELOAD, sizeof PRELOAD);
  without_us(preload_of(environment), list + sizeof PRELOAD - 1);
  for (; *environment != NULL; environment++) {
    if (strncmp(*environment, PRELOAD, sizeof PRELOAD - 1) != 0) copied[count++] = *environment;
    else if (list[sizeof PRELOAD - 1] != 0) copied[count++] = list;
  }
  copied[count] = NULL;
  return copied;
}

/* Where execvp and posix_spawnp find a file; false: nowhere. */
static bool search(const char *file, char *path) {
  const char *folders = real_environment("PATH");
  size_t file_length = strlen(file);
  for (const char *at = folders != NULL ? folders : "/bin:/usr/bin";; at++) {
    size_t length = strcspn(at, ":");
    if (length + file_length + 2 < PATH_MAX) {
      memcpy(path, at, length);
      path[length] = '/';
      memcpy(path + length + (length > 0), file, file_length + 1);
      if (SYSTEM_CALL3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0) return true;
    }
    at += length;
    if (*at == 0) return false;
  }
}

static enum layout_without found_lacks(const char *file) {
  char path[PATH_MAX];
  if (strchr(file, '/') != NULL) return agent_lacks(AT_FDCWD, file);
  return search(file, path) ? agent_lacks(AT_FDCWD, path) : WITHOUT_NOTHING;
}

static bool loads_agent(char *const *environment) {
  const char *list = preload_of(environment);
  return list != NULL && strstr(list, "/libmemsurge") != NULL;
}

/* What MEMSURGE_AGENT says; NULL: it is not there. */
static const char *asked_in(char *const *environment) {
  for (; *environment != NULL; environment++) {
    if (strncmp(*environment, ASKED, sizeof ASKED - 1) == 0) return *environment + sizeof ASKED - 1;
  }
  return NULL;
}

/* As a file would be made there, by looking a name up in it: what access says is of the real user. */
static bool can_reach_folder(const char *asked) {
  const char *directory = strchr(asked, ',') == NULL ? NULL : strchr(strchr(asked, ',') + 1, ',');
  if (directory == NULL) return true;
  long folder = SYSTEM_CALL4(SYS_openat, AT_FDCWD, directory + 1, O_PATH | O_CLOEXEC, 0);
  long inside = folder < 0 ? folder : SYSTEM_CALL4(SYS_openat, folder, ".", O_PATH | O_CLOEXEC, 0);
  if (folder >= 0) SYSTEM_CALL3(SYS_close, folder, 0, 0);
  if (inside >= 0) SYSTEM_CALL3(SYS_close, inside, 0, 0);
  return inside != -EACCES && inside != -ENOENT;
}

static enum layout_without with_environment(char *const *environment, enum layout_without why) {
  if (why != WITHOUT_NOTHING) return why;
  if (!can_be_loaded()) return WITHOUT_LIBRARY;
  const char *asked = asked_in(environment);
  if (asked == NULL) return WITHOUT_ENVIRONMENT;
  return can_reach_folder(asked) ? WITHOUT_NOTHING : WITHOUT_FOLDER;
}

static bool must_go(char *const *environment, enum layout_without why) {
  return !bears_agent(why) && length_of(environment) < MOST_VARIABLES;
}

/*
 * `chosen` is the environment for a program, `why` tells why the agent will not be in it; `lacks` is asked only where the
 * environment loads the agent. What this makes is on its user's stack.
 */
#define CHOOSE_ENVIRONMENT(chosen, environment, why, lacks)                                                            \
  enum layout_without why = loads_agent(environment) ? with_environment(environment, lacks) : WITHOUT_ENVIRONMENT;     \
  char *const *chosen = (must_go(environment, why)                                                                     \
       ? stripped(environment, alloca((length_of(environment) + 1) * sizeof(char *)), alloca(strlen(preload_of(environment)) + sizeof PRELOAD)) \
       : (environment));

/* An exec that comes back has failed. */
#define NOTED(why, path, call)                                                                                         \
  strangers_note_exec(why, path);                                                                                      \
  int result = call;                                                                                                   \
  if (why != WITHOUT_NOTHING) {                                                                                        \
    int failure = errno;                                                                                               \
    strangers_note_failed_exec();                                                                                      \
    errno = failure;                                                                                                   \
  }                                                                                                                    \
  return result;

EXPORT int execve(const char *path, char *const arguments[], char *const environment[]) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, agent_lacks(AT_FDCWD, path))
  NOTED(why, path, real.execve(path, arguments, chosen))
}
EXPORT int execv(const char *path, char *const arguments[]) { return execve(path, arguments, environ); }
EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[]) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, found_lacks(file))
  NOTED(why, file, real.execvpe(file, arguments, chosen))
}
EXPORT int execvp(const char *file, char *const arguments[]) { return execvpe(file, arguments, environ); }
EXPORT int fexecve(int fd, char *const arguments[], char *const environment[]) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, agent_lacks(fd, ""))
  NOTED(why, "", real.fexecve(fd, arguments, chosen))
}
EXPORT int execveat(int directory, const char *path, char *const arguments[], char *const environment[], int flags) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, agent_lacks(directory, path))
  NOTED(why, path, real.execveat(directory, path, arguments, chosen, flags))
}
EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                       char *const arguments[], char *const environment[]) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, agent_lacks(AT_FDCWD, path))
  int failure = real.posix_spawn(pid, path, actions, attributes, arguments, chosen);
  if (failure == 0) strangers_note_child(why, path);
  return failure;
}
EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                        char *const arguments[], char *const environment[]) {
  CHOOSE_ENVIRONMENT(chosen, environment, why, found_lacks(file))
  int failure = real.posix_spawnp(pid, file, actions, attributes, arguments, chosen);
  if (failure == 0) strangers_note_child(why, file);
  return failure;
}

/* libc starts the shell of these without a call that could be seen; told before, for system comes back when it has ended. */
static void note_shell(const char *command) {
  if (command != NULL && !loads_agent(environ)) strangers_note_child(WITHOUT_ENVIRONMENT, "/bin/sh");
}
EXPORT int system(const char *command) {
  note_shell(command);
  return real.system(command);
}
EXPORT FILE *popen(const char *command, const char *mode) {
  note_shell(command);
  return real.popen(command, mode);
}

/* Arguments up to the NULL that ends them, as a list on the caller's stack. */
#define LISTED(first, list, rest)                                                                                      \
  char **list;                                                                                                         \
  va_list rest;                                                                                                        \
  do {                                                                                                                 \
    const char *volatile start = first; /* declared never to be NULL, but it is seen to be */                          \
    size_t count = 1;                                                                                                  \
    va_start(rest, first);                                                                                             \
    while (start != NULL && va_arg(rest, char *) != NULL) count++;                                                   \
    va_end(rest);                                                                                                      \
    list = alloca((count + 1) * sizeof *list);                                                                         \
    list[0] = (char *)start;                                                                                         \
    va_start(rest, first);                                                                                             \
    for (size_t i = 1; start != NULL && i <= count; i++) list[i] = va_arg(rest, char *);                             \
  } while (0)

EXPORT int execl(const char *path, const char *argument, ...) {
  LISTED(argument, list, rest);
  va_end(rest);
  return execve(path, list, environ);
}
EXPORT int execlp(const char *file, const char *argument, ...) {
  LISTED(argument, list, rest);
  va_end(rest);
  return execvpe(file, list, environ);
}
EXPORT int execle(const char *path, const char *argument, ...) {
  LISTED(argument, list, rest);
  char *const *environment = va_arg(rest, char *const *);
  va_end(rest);
  return execve(path, list, environment);
}
