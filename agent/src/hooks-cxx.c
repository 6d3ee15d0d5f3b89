/*
 * C++ operators. Where libstdc++ (or libc++) owns them they call malloc and free, and the hooks there see all; where an
 * allocator such as jemalloc, tcmalloc or mimalloc does, they never do, and are recorded here. Who owns each is known when
 * the definitions are looked for, at the first call: no C program ever gets here. Some of an allocator's end in its malloc
 * family (jemalloc's with an alignment), others never do: there each call tells. Another library's operators may end in malloc
 * as well: the first block that is made of one made by malloc tells, and from then on malloc's hooks see that library's.
 *
 * mangled names: new, new[] (nw, na) of size_t (m), with alignment (St11align_val_t) and nothrow (RKSt9nothrow_t);
 * delete, delete[] (dl, da) of a pointer (Pv), with size and alignment.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "real.h"
#include "record.h"

typedef void *(*new_1)(size_t);
typedef void *(*new_2)(size_t, uintptr_t);
typedef void *(*new_3)(size_t, uintptr_t, uintptr_t);
typedef void (*delete_1)(void *);
typedef void (*delete_2)(void *, uintptr_t);
typedef void (*delete_3)(void *, uintptr_t, uintptr_t);

/* Without any C++ library in sight the operators are what they mean; there is nothing to throw with. */
static void *plain_new(size_t size) {
  void *block = malloc(size == 0 ? 1 : size);
  if (block == NULL) abort();
  return block;
}
static void *plain_new_nothrow(size_t size, uintptr_t nothrow) {
  (void)nothrow;
  return malloc(size == 0 ? 1 : size);
}
static void *plain_new_aligned_nothrow(size_t size, uintptr_t alignment, uintptr_t nothrow) {
  (void)nothrow;
  return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
}
static void *plain_new_aligned(size_t size, uintptr_t alignment) {
  void *block = plain_new_aligned_nothrow(size, alignment, 0);
  if (block == NULL) abort();
  return block;
}

#define OPERATORS(X)                                                                                                   \
  X(_Znwm, plain_new) X(_Znam, plain_new)                                                                              \
  X(_ZnwmRKSt9nothrow_t, plain_new_nothrow) X(_ZnamRKSt9nothrow_t, plain_new_nothrow)                                  \
  X(_ZnwmSt11align_val_t, plain_new_aligned) X(_ZnamSt11align_val_t, plain_new_aligned)                                \
  X(_ZnwmSt11align_val_tRKSt9nothrow_t, plain_new_aligned_nothrow)                                                     \
  X(_ZnamSt11align_val_tRKSt9nothrow_t, plain_new_aligned_nothrow)                                                     \
  X(_ZdlPv, free) X(_ZdaPv, free) X(_ZdlPvm, free) X(_ZdaPvm, free)                                                    \
  X(_ZdlPvRKSt9nothrow_t, free) X(_ZdaPvRKSt9nothrow_t, free)                                                          \
  X(_ZdlPvSt11align_val_t, free) X(_ZdaPvSt11align_val_t, free)                                                        \
  X(_ZdlPvmSt11align_val_t, free) X(_ZdaPvmSt11align_val_t, free)                                                      \
  X(_ZdlPvSt11align_val_tRKSt9nothrow_t, free) X(_ZdaPvSt11align_val_tRKSt9nothrow_t, free)

enum {
#define X(name, plain) INDEX##name,
  OPERATORS(X)
#undef X
      OPERATOR_COUNT
};

static const struct {
  const char *name;
  void *plain;
} operators[] = {
#define X(name, plain) {#name, (void *)plain},
    OPERATORS(X)
#undef X
};

static void *next[OPERATOR_COUNT];
/* Base of the module whose operator it is, when what it gives out is recorded here; else NULL. */
static void *_Atomic owner[OPERATOR_COUNT];
/* Base of the module whose malloc it is. */
static void *allocator;
static _Atomic bool known;

/* After ours in the global scope, else where a plug-in brought the library along for itself. */
static void *find(const char *name, void *plain) {
  static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1"};
  void *found = real_dlsym(RTLD_NEXT, name);
  for (size_t i = 0; found == NULL && i < sizeof libraries / sizeof *libraries; i++) {
    void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
    if (library != NULL) found = real_dlsym(library, name);
  }
  return found != NULL ? found : plain;
}

static void *module_of(void *function) {
  Dl_info info;
  return dladdr(function, &info) == 0 ? NULL : info.dli_fbase;
}

/* NULL: the language's own library, which ends in malloc. */
static void *owner_of(void *function) {
  Dl_info info;
  if (dladdr(function, &info) == 0 || info.dli_fname == NULL) return NULL;
  bool of_language = strstr(info.dli_fname, "libstdc++") != NULL || strstr(info.dli_fname, "libc++") != NULL;
  return of_language ? NULL : info.dli_fbase;
}

static __attribute__((noinline)) void look(void) {
  real_resolve();
  allocator = module_of((void *)real.malloc);
  for (int i = 0; i < OPERATOR_COUNT; i++) {
    next[i] = find(operators[i].name, operators[i].plain);
    owner[i] = next[i] == operators[i].plain ? NULL : owner_of(next[i]);
  }
  atomic_store_explicit(&known, true, memory_order_release);
}

static inline bool is_owned(int index) {
  if (UNLIKELY(!atomic_load_explicit(&known, memory_order_acquire))) look();
  return atomic_load_explicit(&owner[index], memory_order_relaxed) != NULL;
}

/*
 * True: the block is a part of one made by malloc, and so are all of the module's from now on. An allocator may make one
 * operator of its malloc family and none of the others: then the block is just what that gave.
 */
static __attribute__((noinline)) bool ends_in_malloc(int index, const void *block) {
  void *module = atomic_load(&owner[index]);
  if (!record_last_contains(block) || (module == allocator && record_last_is(block))) return false;
  for (int i = 0; i < OPERATOR_COUNT; i++) {
    if (atomic_load(&owner[i]) == module) atomic_store(&owner[i], NULL);
  }
  return true;
}

#define NEW(name, type, parameters, arguments)                                                                         \
  EXPORT void *name parameters {                                                                                       \
    if (LIKELY(!is_owned(INDEX##name))) return ((type)next[INDEX##name])arguments;                                     \
    int64_t mark = record_mark();                                                                                      \
    void *block = ((type)next[INDEX##name])arguments;                                                                  \
    if (UNLIKELY(record_is_nested(mark)) && ends_in_malloc(INDEX##name, block)) return block;                          \
    RECORD_ALLOC(block, size, mark);                                                                                   \
    return block;                                                                                                      \
  }
#define DELETE(name, type, parameters, arguments)                                                                      \
  EXPORT void name parameters {                                                                                        \
    bool owned = is_owned(INDEX##name);                                                                                \
    if (UNLIKELY(owned)) record_free_by(block);                                                                        \
    ((type)next[INDEX##name])arguments;                                                                                \
    if (UNLIKELY(owned)) record_freed_by();                                                                            \
  }

NEW(_Znwm, new_1, (size_t size), (size))
NEW(_Znam, new_1, (size_t size), (size))
NEW(_ZnwmRKSt9nothrow_t, new_2, (size_t size, uintptr_t a), (size, a))
NEW(_ZnamRKSt9nothrow_t, new_2, (size_t size, uintptr_t a), (size, a))
NEW(_ZnwmSt11align_val_t, new_2, (size_t size, uintptr_t a), (size, a))
NEW(_ZnamSt11align_val_t, new_2, (size_t size, uintptr_t a), (size, a))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, new_3, (size_t size, uintptr_t a, uintptr_t b), (size, a, b))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, new_3, (size_t size, uintptr_t a, uintptr_t b), (size, a, b))
DELETE(_ZdlPv, delete_1, (void *block), (block))
DELETE(_ZdaPv, delete_1, (void *block), (block))
DELETE(_ZdlPvm, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdaPvm, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdlPvRKSt9nothrow_t, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdaPvRKSt9nothrow_t, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdlPvSt11align_val_t, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdaPvSt11align_val_t, delete_2, (void *block, uintptr_t a), (block, a))
DELETE(_ZdlPvmSt11align_val_t, delete_3, (void *block, uintptr_t a, uintptr_t b), (block, a, b))
DELETE(_ZdaPvmSt11align_val_t, delete_3, (void *block, uintptr_t a, uintptr_t b), (block, a, b))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, delete_3, (void *block, uintptr_t a, uintptr_t b), (block, a, b))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, delete_3, (void *block, uintptr_t a, uintptr_t b), (block, a, b))
