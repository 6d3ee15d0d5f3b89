/* A lock for a few instructions: never held over a call into the program or libc. */
#ifndef MEMSURGE_LOCK_H
#define MEMSURGE_LOCK_H

#include <stdatomic.h>

#include "arch.h"
#include "thread-block.h"
#include "threads.h"

struct lock {
  /** Thread id of the holder, 0 when free. */
  _Atomic int32_t owner;
};

/** glibc's own knowledge (2.32 on) that there is no second thread: it turns false before pthread_create starts one. */
extern const char *single_threaded;
static inline bool is_single_threaded(void) { return *(const volatile char *)single_threaded != 0; }

/* A thread that is only being made known has no state to ask yet, or (in a child made by fork) one without an id. */
static inline int32_t lock_taker(void) {
  const struct thread *thread = thread_self();
  if (LIKELY(thread != NULL) && LIKELY(thread->tid != 0)) return thread->tid;
  return thread_block_id();
}

/**
 * Nothing is taken while there is one thread: it cannot start another in here. A thread that finds itself the owner
 * left the agent by longjmp out of a signal handler: it just goes on.
 */
static inline void lock_enter(struct lock *lock) {
  if (is_single_threaded()) return;
  int32_t me = lock_taker();
  for (unsigned tries = 0;; tries++) {
    int32_t owner = 0;
    if (LIKELY(atomic_compare_exchange_weak_explicit(&lock->owner, &owner, me, memory_order_acquire, memory_order_relaxed))) return;
    if (owner == me) return;
    if (tries < 64) cpu_relax();
    else SYSTEM_CALL3(SYS_sched_yield, 0, 0, 0);
  }
}

static inline void lock_leave(struct lock *lock) { atomic_store_explicit(&lock->owner, 0, memory_order_release); }

#endif
