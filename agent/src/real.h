/* The definitions that come after ours: what the program would have called. */
#ifndef MEMSURGE_REAL_H
#define MEMSURGE_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
};
/** Callable from the start: until they are known, the first call looks for them. */
extern struct real real;
/** The true dlsym, for the thunk's jump. */
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
