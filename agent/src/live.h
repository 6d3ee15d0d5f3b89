/*
 * The bytes that live in all threads together, and their highest, exactly, without a word that every thread writes with
 * every block.
 *
 * Kept is the gap from what lives to the highest so far, spread over `gaps` of the header: live = peak - sum of the gaps.
 * Gap 0 is the pot, the others are rooms of threads. While threads keep APART, one takes a block's bytes from its own room
 * and gives them back there: as long as that goes, nothing new is highest, whatever the others do. When a room does not have
 * enough, the lock is taken and all gaps are emptied into the pot; what the pot has not either is a new highest. While that
 * happens threads are TOGETHER: they use the pot, since room by room would be asked for each block of a program that grows.
 *
 * Why no order of threads is told wrong: to be TOGETHER is said before the rooms are emptied, and a thread looks at it after
 * each change of its room. So what a room gets too late is brought to the pot, under the lock, before the call is over, and no
 * call that begins after that can miss it.
 */
#ifndef MEMSURGE_LIVE_H
#define MEMSURGE_LIVE_H

#include "lock.h"
#include "store.h"
#include "threads.h"

/* A test of all orders changes the thread here. */
#ifndef LIVE_POINT
#define LIVE_POINT() ((void)0)
#endif

enum live_phase { LIVE_TOGETHER, LIVE_APART };

/** Read with every block, seldom written; in a line of the cache to itself. */
extern struct live {
  _Atomic uint32_t phase __attribute__((aligned(64)));
  struct lock lock __attribute__((aligned(64)));
} live;

/** At the start of a recording. */
void live_start(void);
/** Of a block that its thread's room, or the pot, has not enough for. */
void live_grows_slowly(struct thread *, uint64_t bytes);
/** Brings what came into a room too late to the pot. */
void live_brings(struct thread *);
/** A thread found enough in the pot for a thousand blocks. */
void live_parts(struct thread *);

static inline _Atomic uint64_t *live_gap(uint32_t number) { return &store.header->gaps[number].bytes; }
static inline _Atomic uint64_t *live_pot(void) { return live_gap(0); }
static inline _Atomic uint64_t *live_room(const struct thread *thread) { return live_gap(1 + thread->serial % LAYOUT_ROOMS); }

static inline enum live_phase live_phase(void) { return (enum live_phase)atomic_load_explicit(&live.phase, memory_order_seq_cst); }

/* False: there is not so much. */
static inline bool live_take(_Atomic uint64_t *gap, uint64_t bytes) {
  LIVE_POINT();
  uint64_t there = atomic_load_explicit(gap, memory_order_relaxed);
  while (there >= bytes) {
    if (atomic_compare_exchange_weak_explicit(gap, &there, there - bytes, memory_order_seq_cst, memory_order_relaxed)) return true;
  }
  return false;
}

/* So long the pot is used after a new highest: a program that grows makes the next one soon. */
#define LIVE_CALM 1024

static inline void live_grows(struct thread *thread, uint64_t bytes) {
  if (is_single_threaded()) {
    uint64_t there = atomic_load_explicit(live_pot(), memory_order_relaxed);
    if (there >= bytes) atomic_store_explicit(live_pot(), there - bytes, memory_order_relaxed);
    else live_grows_slowly(thread, bytes);
    return;
  }
  thread->calm++;
  if (live_phase() == LIVE_APART) {
    if (!live_take(live_room(thread), bytes)) live_grows_slowly(thread, bytes);
    else if (LIVE_POINT(), live_phase() != LIVE_APART) live_brings(thread);
  } else if (!live_take(live_pot(), bytes)) {
    live_grows_slowly(thread, bytes);
  } else if (thread->calm >= LIVE_CALM) {
    live_parts(thread);
  }
}

static inline void live_shrinks(struct thread *thread, uint64_t bytes) {
  if (is_single_threaded()) {
    atomic_store_explicit(live_pot(), atomic_load_explicit(live_pot(), memory_order_relaxed) + bytes, memory_order_relaxed);
    return;
  }
  bool is_apart = live_phase() == LIVE_APART;
  LIVE_POINT();
  atomic_fetch_add_explicit(is_apart ? live_room(thread) : live_pot(), bytes, memory_order_seq_cst);
  LIVE_POINT();
  if (is_apart && live_phase() != LIVE_APART) live_brings(thread);
}

#endif
