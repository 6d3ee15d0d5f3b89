#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "definition.h"
#include "hooks.h"
#include "lock.h"
#include "modules.h"

extern void *__libc_stack_end __attribute__((weak));

/* dlsym may allocate while the allocator is being looked for. */
char bootstrap_memory[BOOTSTRAP_BYTES] __attribute__((aligned(64)));
static _Atomic size_t bootstrap_used;
static _Atomic uint32_t resolving;
static bool resolved;

static void *bootstrap_alloc(size_t bytes, size_t alignment) {
  size_t wanted = bytes + alignment + 16;
  if (bytes > BOOTSTRAP_BYTES || atomic_fetch_add(&bootstrap_used, wanted) + wanted > BOOTSTRAP_BYTES) {
    errno = ENOMEM;
    return NULL;
  }
  uintptr_t at = (uintptr_t)bootstrap_memory + atomic_load(&bootstrap_used) - wanted;
  return (void *)((at + alignment - 1) & ~(alignment - 1));
}

/* True when `real` can be called now. */
static bool is_resolved(void) {
  if (atomic_load(&resolving) == 0) real_resolve();
  return resolved;
}

static void *first_malloc(size_t size) { return is_resolved() ? real.malloc(size) : bootstrap_alloc(size, 16); }
static void *first_calloc(size_t count, size_t size) {
  if (is_resolved()) return real.calloc(count, size);
  return size != 0 && count > BOOTSTRAP_BYTES / size ? NULL : bootstrap_alloc(count * size, 16);
}
static void *first_realloc(void *block, size_t size) {
  if (is_resolved()) return real.realloc(block, size);
  void *moved = bootstrap_alloc(size, 16);
  if (moved != NULL && block != NULL) {
    size_t rest = bootstrap_rest(block);
    memcpy(moved, block, size < rest ? size : rest);
  }
  return moved;
}
static void *first_reallocarray(void *block, size_t count, size_t size) {
  return is_resolved() ? real.reallocarray(block, count, size) : NULL;
}
static void first_free(void *block) {
  if (is_resolved()) real.free(block);
}
static int first_posix_memalign(void **block, size_t alignment, size_t size) {
  if (is_resolved()) return real.posix_memalign(block, alignment, size);
  *block = bootstrap_alloc(size, alignment);
  return *block == NULL ? ENOMEM : 0;
}
static void *first_aligned_alloc(size_t alignment, size_t size) {
  return is_resolved() ? real.aligned_alloc(alignment, size) : bootstrap_alloc(size, alignment);
}
static void *first_memalign(size_t alignment, size_t size) {
  return is_resolved() ? real.memalign(alignment, size) : bootstrap_alloc(size, alignment);
}
static void *first_valloc(size_t size) { return is_resolved() ? real.valloc(size) : bootstrap_alloc(size, 4096); }
static void *first_pvalloc(size_t size) { return is_resolved() ? real.pvalloc(size) : bootstrap_alloc(size, 4096); }

static long with_errno(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}
static void *first_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return (void *)with_errno(SYSTEM_CALL6(SYS_mmap, at, length, protection, flags, fd, offset));
}
static int first_munmap(void *at, size_t length) { return (int)with_errno(SYSTEM_CALL3(SYS_munmap, at, length, 0)); }
static void *first_mremap(void *at, size_t length, size_t new_length, int flags, ...) {
  return is_resolved() ? real.mremap(at, length, new_length, flags) : (void *)with_errno(-ENOMEM);
}
static int first_brk(void *to) { return is_resolved() ? real.brk(to) : (int)with_errno(-ENOMEM); }
static int first_dlclose(void *handle) { return is_resolved() ? real.dlclose(handle) : 0; }
static void *first_sbrk(intptr_t by) { return is_resolved() ? real.sbrk(by) : (void *)with_errno(-ENOMEM); }

static int first_prctl(int option, ...) {
  va_list rest;
  va_start(rest, option);
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long);
  va_end(rest);
  return (int)with_errno(SYSTEM_CALL6(SYS_prctl, option, a, b, c, d, 0));
}
static int first_setrlimit(unsigned resource, const struct rlimit *limit) {
  return (int)with_errno(SYSTEM_CALL4(SYS_prlimit64, 0, resource, limit, NULL));
}
static int first_prlimit(pid_t pid, unsigned resource, const struct rlimit *limit, struct rlimit *old) {
  return (int)with_errno(SYSTEM_CALL4(SYS_prlimit64, pid, resource, limit, old));
}
static int first_setname(pthread_t thread, const char *name) {
  return is_resolved() ? real.pthread_setname_np(thread, name) : ENOMEM;
}

static int first_execve(const char *path, char *const arguments[], char *const environment[]) {
  return (int)with_errno(SYSTEM_CALL3(SYS_execve, path, arguments, environment));
}
static int first_execvpe(const char *file, char *const arguments[], char *const environment[]) {
  return is_resolved() ? real.execvpe(file, arguments, environment) : (int)with_errno(-ENOENT);
}
static int first_fexecve(int fd, char *const arguments[], char *const environment[]) {
  return is_resolved() ? real.fexecve(fd, arguments, environment) : (int)with_errno(-ENOENT);
}
static int first_execveat(int directory, const char *path, char *const arguments[], char *const environment[], int flags) {
  return (int)with_errno(SYSTEM_CALL6(SYS_execveat, directory, path, arguments, environment, flags, 0));
}
static int first_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                             char *const arguments[], char *const environment[]) {
  return is_resolved() ? real.posix_spawn(pid, path, actions, attributes, arguments, environment) : ENOENT;
}
static int first_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                              char *const arguments[], char *const environment[]) {
  return is_resolved() ? real.posix_spawnp(pid, file, actions, attributes, arguments, environment) : ENOENT;
}
static int first_system(const char *command) { return is_resolved() ? real.system(command) : (int)with_errno(-ENOENT); }
static FILE *first_popen(const char *command, const char *mode) {
  if (is_resolved()) return real.popen(command, mode);
  with_errno(-ENOENT);
  return NULL;
}

struct real real = {
    .malloc = first_malloc,
    .calloc = first_calloc,
    .realloc = first_realloc,
    .reallocarray = first_reallocarray,
    .free = first_free,
    .posix_memalign = first_posix_memalign,
    .aligned_alloc = first_aligned_alloc,
    .memalign = first_memalign,
    .valloc = first_valloc,
    .pvalloc = first_pvalloc,
    .mmap = first_mmap,
    .mmap64 = first_mmap,
    .munmap = first_munmap,
    .mremap = first_mremap,
    .brk = first_brk,
    .sbrk = first_sbrk,
    .dlclose = first_dlclose,
    .prctl = first_prctl,
    .setrlimit = first_setrlimit,
    .prlimit = first_prlimit,
    .pthread_setname_np = first_setname,
    .execve = first_execve,
    .execvpe = first_execvpe,
    .fexecve = first_fexecve,
    .execveat = first_execveat,
    .posix_spawn = first_posix_spawn,
    .posix_spawnp = first_posix_spawnp,
    .system = first_system,
    .popen = first_popen,
};

static long first_syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
  long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
  va_end(rest);
  return with_errno(SYSTEM_CALL6(number, a, b, c, d, e, f));
}
long (*real_syscall)(long, ...) = first_syscall;

void *(*real_dlsym)(void *, const char *);

static bool shadowed, preloaded;

/* Our own dlsym hides the true one; dlvsym is not hooked. 2.34 moved it from libdl to libc. */
static void find_dlsym(void) {
  static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
  for (size_t i = 0; i < sizeof versions / sizeof *versions && real_dlsym == NULL; i++) {
    void *found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    memcpy(&real_dlsym, &found, sizeof found);
  }
}

/* Preloaded, the program's definition is ours and the next one is wanted; loaded later, the program's is. */
static void *find(const struct got_hook *hook) {
  return preloaded ? real_dlsym(RTLD_NEXT, hook->name) : got_find(hook->name);
}

/* Called by the thunk first: the answer, or NULL when the true dlsym shall give it. */
__attribute__((used)) void *dlsym_hooked(void *handle, const char *name) {
  if (!resolved) real_resolve();
  got_refresh();
  modules_loaded();
  if (handle == RTLD_NEXT || (handle == RTLD_DEFAULT && preloaded) || name == NULL) return NULL;
  for (size_t i = 0; hooks[i].name != NULL; i++) {
    if (strcmp(hooks[i].name, name) == 0) return real_dlsym(handle, name) == *hooks[i].real ? hooks[i].hook : NULL;
  }
  return NULL;
}

void real_resolve(void) {
  if (resolved || atomic_exchange(&resolving, 1) != 0) return;
  find_dlsym();
  if (real_dlsym != NULL) {
    preloaded = real_is_preloaded();
    for (size_t i = 0; hooks[i].name != NULL; i++) {
      void *found = find(&hooks[i]);
      if (found != NULL) *hooks[i].real = found;
    }
    shadowed = preloaded && definition_first("malloc") != hooks[0].hook;
    const char *known = real_dlsym(RTLD_DEFAULT, "__libc_single_threaded");
    if (known != NULL) single_threaded = known;
  }
  resolved = true;
  atomic_store(&resolving, 0);
}

bool real_is_shadowed(void) { return shadowed; }

/* A library of the program's start is in the global scope: the program's dlsym is then ours, whatever allocator comes first. */
bool real_is_preloaded(void) {
  if (real_dlsym == NULL) find_dlsym();
  return real_dlsym != NULL && definition_first("dlsym") == (void *)dlsym_thunk;
}

/* The kernel's own picture: argument count, arguments, NULL, environment, NULL. */
static char **environment_of_start(void) {
  if (&__libc_stack_end == NULL || __libc_stack_end == NULL) return NULL;
  long *count = __libc_stack_end;
  return (char **)(count + 1 + *count + 1);
}

const char *real_environment(const char *name) {
  char **variables = environ != NULL ? environ : environment_of_start();
  size_t length = strlen(name);
  for (; variables != NULL && *variables != NULL; variables++) {
    if (strncmp(*variables, name, length) == 0 && (*variables)[length] == '=') return *variables + length + 1;
  }
  return NULL;
}
