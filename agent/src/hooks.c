#include "hooks.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record.h"
#include "real.h"

/* The hooks keep to one form: the real call, then the record of what it gave; a release is recorded before it happens. */

EXPORT void *malloc(size_t size) {
  int64_t mark = record_mark();
  void *block = real.malloc(size);
  RECORD_ALLOC(block, size, mark);
  return block;
}

EXPORT void free(void *block) {
  RECORD_FREE(block);
  if (LIKELY(!is_bootstrap(block))) real.free(block);
}

EXPORT void *calloc(size_t count, size_t size) {
  int64_t mark = record_mark();
  void *block = real.calloc(count, size);
  RECORD_ALLOC(block, count * size, mark);
  return block;
}

/* A bootstrap block moves to the real heap at the first occasion. */
static void *reallocate(void *old, size_t size) {
  if (LIKELY(!is_bootstrap(old))) return real.realloc(old, size);
  void *block = real.malloc(size);
  size_t rest = bootstrap_rest(old);
  if (block != NULL) memcpy(block, old, size < rest ? size : rest);
  return block;
}

EXPORT void *realloc(void *old, size_t size) {
  struct departing departing;
  record_depart(old, &departing);
  int64_t mark = record_mark();
  void *block = reallocate(old, size);
  /* Size 0 that yields nothing has freed the block. */
  if (block == NULL && size != 0) record_back(&departing);
  else record_departed(&departing);
  RECORD_ALLOC(block, size, mark);
  return block;
}

EXPORT void *reallocarray(void *old, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  struct departing departing;
  record_depart(old, &departing);
  int64_t mark = record_mark();
  void *block = reallocate(old, bytes);
  if (block == NULL && bytes != 0) record_back(&departing);
  else record_departed(&departing);
  RECORD_ALLOC(block, bytes, mark);
  return block;
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
  int64_t mark = record_mark();
  int error = real.posix_memalign(block, alignment, size);
  if (error == 0) RECORD_ALLOC(*block, size, mark);
  return error;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  int64_t mark = record_mark();
  void *block = real.aligned_alloc(alignment, size);
  RECORD_ALLOC(block, size, mark);
  return block;
}

EXPORT void *memalign(size_t alignment, size_t size) {
  int64_t mark = record_mark();
  void *block = real.memalign(alignment, size);
  RECORD_ALLOC(block, size, mark);
  return block;
}

EXPORT void *valloc(size_t size) {
  int64_t mark = record_mark();
  void *block = real.valloc(size);
  RECORD_ALLOC(block, size, mark);
  return block;
}

EXPORT void *pvalloc(size_t size) {
  int64_t mark = record_mark();
  void *block = real.pvalloc(size);
  RECORD_ALLOC(block, size, mark);
  return block;
}

#undef mmap64
#define HOOK(function) {#function, (void *)function, (void **)&real.function}
const struct got_hook hooks[] = {
    HOOK(malloc), HOOK(calloc),        HOOK(realloc),  HOOK(reallocarray), HOOK(free), HOOK(posix_memalign),
    HOOK(aligned_alloc), HOOK(memalign), HOOK(valloc), HOOK(pvalloc),      HOOK(mmap), HOOK(mmap64),
    HOOK(munmap),        HOOK(mremap),   HOOK(brk),    HOOK(sbrk),         HOOK(dlclose), {"dlsym", (void *)dlsym_thunk, (void **)&real_dlsym},
    HOOK(prctl),         HOOK(setrlimit), HOOK(prlimit), HOOK(pthread_setname_np),   {"syscall", (void *)syscall_thunk, (void **)&real_syscall},
    HOOK(execve),        HOOK(execvpe),   HOOK(fexecve), HOOK(execveat),     HOOK(posix_spawn), HOOK(posix_spawnp),
    HOOK(execv),         HOOK(execvp),    HOOK(execl),   HOOK(execlp),       HOOK(execle),       HOOK(system),      HOOK(popen),
    {"setrlimit64", (void *)setrlimit, (void **)&real.setrlimit}, {"prlimit64", (void *)prlimit, (void **)&real.prlimit},
    {0},
};
