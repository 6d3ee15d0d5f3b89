/*
 * Sums per stack. A stack's row is written by its own thread with plain stores; frees by others are atomic adds to fields of
 * their own. The peak's composition is kept by copy on write:
 * `peak_epoch` of the header counts maxima, and a row that changes first saves what it has live as that at the latest one.
 */
#ifndef MEMSURGE_COUNTERS_H
#define MEMSURGE_COUNTERS_H

#include "live.h"
#include "store.h"
#include "threads.h"

static inline uint64_t counters_live(const struct layout_counters *row) {
  return row->allocated_bytes - row->own_freed_bytes - atomic_load_explicit(&row->foreign_freed_bytes, memory_order_relaxed);
}

/* Modulo 2^32, as the counts of frees are. */
static inline uint32_t counters_live_count(const struct layout_counters *row) {
  return (uint32_t)row->allocated_count - row->own_freed_count -
         atomic_load_explicit(&row->foreign_freed_count, memory_order_relaxed);
}

/** Has the processor fetch a row that is about to change. */
static inline void counters_expect(uint32_t stack) { __builtin_prefetch(store_counters(stack), 1); }

static inline struct layout_counters *counters_changing(uint32_t stack) {
  struct layout_counters *row = store_counters(stack);
  uint32_t epoch = atomic_load_explicit(&store.header->peak_epoch, memory_order_relaxed);
  if (row->peak_epoch != epoch) {
    row->peak_bytes = counters_live(row);
    row->peak_count = counters_live_count(row);
    row->peak_epoch = epoch;
  }
  uint8_t *dirty = (uint8_t *)store_rows(SECTION_DIRTY) + stack / 64;
  uint8_t tick = (uint8_t)atomic_load_explicit(&store.header->tick, memory_order_relaxed);
  if (*dirty != tick) *dirty = tick;
  return row;
}

static inline void counters_allocated(struct thread *thread, enum layout_kind kind, uint32_t stack, uint64_t bytes) {
  struct layout_counters *row = counters_changing(stack);
  row->allocated_bytes += bytes;
  row->allocated_count++;
  if (kind == KIND_NATIVE_HEAP) live_grows(thread, bytes);
}

/** A block's size turned out to be another than was counted; its stack is the calling thread's own. */
static inline void counters_resized(struct thread *thread, uint32_t stack, int64_t change) {
  counters_changing(stack)->allocated_bytes += (uint64_t)change;
  if (change >= 0) live_grows(thread, (uint64_t)change);
  else live_shrinks(thread, (uint64_t)-change);
}

/** `owner`: serial of the thread whose stack it is; `count`: 0 for a part of a mapping. */
static inline void counters_freed(struct thread *thread, enum layout_kind kind, uint32_t stack, uint32_t owner, uint64_t bytes,
                                  uint32_t count) {
  struct layout_counters *row = counters_changing(stack);
  if (owner == thread->serial) {
    row->own_freed_bytes += bytes;
    row->own_freed_count += count;
  } else {
    atomic_fetch_add_explicit(&row->foreign_freed_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->foreign_freed_count, count, memory_order_relaxed);
  }
  if (kind == KIND_NATIVE_HEAP) live_shrinks(thread, bytes);
}

#endif
