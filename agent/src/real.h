/* The definitions that come after ours: what the program would have called. */
#ifndef MEMSURGE_REAL_H
#define MEMSURGE_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/types.h>

struct rlimit;

struct real {
  void *(*malloc)(size_t);
  void *(*calloc)(size_t, size_t);
  void *(*realloc)(void *, size_t);
  void *(*reallocarray)(void *, size_t, size_t);
  void (*free)(void *);
  int (*posix_memalign)(void **, size_t, size_t);
  void *(*aligned_alloc)(size_t, size_t);
  void *(*memalign)(size_t, size_t);
  void *(*valloc)(size_t);
  void *(*pvalloc)(size_t);
  void *(*mmap)(void *, size_t, int, int, int, off_t);
  void *(*mmap64)(void *, size_t, int, int, int, off_t);
  int (*munmap)(void *, size_t);
  void *(*mremap)(void *, size_t, size_t, int, ...);
  int (*brk)(void *);
  void *(*sbrk)(intptr_t);
  int (*dlclose)(void *);
  int (*prctl)(int, ...);
  int (*setrlimit)(unsigned, const struct rlimit *);
  int (*prlimit)(pid_t, unsigned, const struct rlimit *, struct rlimit *);
  int (*pthread_setname_np)(pthread_t, const char *);
  int (*execve)(const char *, char *const[], char *const[]);
  int (*execvpe)(const char *, char *const[], char *const[]);
  int (*fexecve)(int, char *const[], char *const[]);
  int (*execveat)(int, const char *, char *const[], char *const[], int);
  int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
  int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
  int (*system)(const char *);
  FILE *(*popen)(const char *, const char *);
  /** Hooked by way of those above. */
  int (*execv)(const char *, char *const[]);
  int (*execvp)(const char *, char *const[]);
  int (*execl)(const char *, const char *, ...);
  int (*execlp)(const char *, const char *, ...);
  int (*execle)(const char *, const char *, ...);
};
/** Callable from the start: until they are known, the first call looks for them. */
extern struct real real;
/** The true syscall and dlsym, for the thunks' jumps. */
extern long (*real_syscall)(long, ...);
extern void *(*real_dlsym)(void *, const char *);

/** Finds all of them. */
void real_resolve(void);
/** True when the program's malloc is not ours, though we were preloaded: another allocator comes first. */
bool real_is_shadowed(void);
/** True when the library was there at the program's start, not loaded into it later. */
bool real_is_preloaded(void);
/** getenv that works before libc set `environ` up. */
const char *real_environment(const char *name);

#define BOOTSTRAP_BYTES 65536
extern char bootstrap_memory[BOOTSTRAP_BYTES];
/** Given out while `real` was being looked for; never freed. */
static inline bool is_bootstrap(const void *block) {
  return (uintptr_t)block - (uintptr_t)bootstrap_memory < BOOTSTRAP_BYTES;
}
/** Bytes of the arena from `block` on: at least as many as the block has. */
static inline size_t bootstrap_rest(const void *block) { return (size_t)(bootstrap_memory + BOOTSTRAP_BYTES - (const char *)block); }

#endif
