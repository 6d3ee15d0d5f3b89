/* The one place for what depends on the processor. */
#ifndef MEMSURGE_ARCH_H
#define MEMSURGE_ARCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#include "arch-x64.h"
#define ARCH_THIS ARCH_X64
#else
#error "the agent is written for x86-64 so far"
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define EXPORT __attribute__((visibility("default")))

/** True once the program has given up system calls: then each of ours is asked about first (sandbox.h). */
extern _Atomic bool sandbox_is_known;
/** Makes the call if it is still allowed; -EPERM if it is not. */
long sandbox_call(long number, long a, long b, long c, long d, long e, long f);
#define EPERM_RESULT 1

/** Every system call of the agent goes through here. */
static inline long allowed_call(long number, long a, long b, long c, long d, long e, long f) {
  if (LIKELY(!atomic_load_explicit(&sandbox_is_known, memory_order_relaxed))) return system_call(number, a, b, c, d, e, f);
  return sandbox_call(number, a, b, c, d, e, f);
}

#define SYSTEM_CALL6(n, a, b, c, d, e, f) allowed_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYSTEM_CALL4(n, a, b, c, d) SYSTEM_CALL6(n, a, b, c, d, 0, 0)
#define SYSTEM_CALL3(n, a, b, c) SYSTEM_CALL6(n, a, b, c, 0, 0, 0)

#endif
