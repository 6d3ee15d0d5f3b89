#include "live.h"

#include "memory.h"

struct live live;

void live_start(void) {
  atomic_store_explicit(&live.phase, LIVE_TOGETHER, memory_order_relaxed);
  live.lock = (struct lock){0};
}

/* Of what a thread finds in the pot it takes a part along, so that it does not come again for the next block. */
#define SHARE 8
/* Threads that empty each other's rooms more often than once in so many blocks use the pot for a while. */
#define LEAST_BETWEEN 64

static void room_to_pot(_Atomic uint64_t *room) {
  LIVE_POINT();
  if (atomic_load_explicit(room, memory_order_seq_cst) == 0) return;
  uint64_t there = atomic_exchange_explicit(room, 0, memory_order_seq_cst);
  LIVE_POINT();
  atomic_fetch_add_explicit(live_pot(), there, memory_order_seq_cst);
}

static void empty_rooms(void) {
  atomic_store_explicit(&live.phase, LIVE_TOGETHER, memory_order_seq_cst);
  for (uint32_t room = 1; room <= LAYOUT_ROOMS; room++) room_to_pot(live_gap(room));
}

static void take_share(struct thread *thread) {
  uint64_t share = atomic_load_explicit(live_pot(), memory_order_relaxed) / SHARE;
  if (share > 0 && live_take(live_pot(), share)) atomic_fetch_add_explicit(live_room(thread), share, memory_order_seq_cst);
}

static void part(struct thread *thread) {
  atomic_store_explicit(&live.phase, LIVE_APART, memory_order_seq_cst);
  take_share(thread);
}

/* All that is not in use is in the pot, or on its way there in a call that is not over. */
static void new_peak(uint64_t bytes) {
  struct layout_header *header = store.header;
  uint64_t there = atomic_exchange_explicit(live_pot(), 0, memory_order_seq_cst);
  if (there >= bytes) {
    atomic_fetch_add_explicit(live_pot(), there - bytes, memory_order_seq_cst);
    return;
  }
  uint64_t peak = atomic_load_explicit(&header->peak_bytes, memory_order_relaxed) + bytes - there;
  atomic_store_explicit(&header->peak_bytes, peak, memory_order_relaxed);
  atomic_store_explicit(&header->peak_time, monotonic_coarse_ns(), memory_order_relaxed);
  uint32_t epoch = atomic_load_explicit(&header->peak_epoch, memory_order_relaxed);
  atomic_store_explicit(&header->peak_epoch, epoch + 1, memory_order_relaxed);
}

void live_grows_slowly(struct thread *thread, uint64_t bytes) {
  lock_enter(&live.lock);
  bool was_apart = live_phase() == LIVE_APART;
  if (was_apart) room_to_pot(live_room(thread));
  if (live_take(live_pot(), bytes)) {
    if (was_apart) take_share(thread);
  } else {
    if (was_apart) empty_rooms();
    bool was_there = was_apart && live_take(live_pot(), bytes);
    if (!was_there) new_peak(bytes);
    if (was_there && thread->calm >= LEAST_BETWEEN) part(thread);
    thread->calm = 0;
  }
  lock_leave(&live.lock);
}

void live_brings(struct thread *thread) {
  lock_enter(&live.lock);
  room_to_pot(live_room(thread));
  lock_leave(&live.lock);
}

void live_parts(struct thread *thread) {
  lock_enter(&live.lock);
  part(thread);
  thread->calm = 0;
  lock_leave(&live.lock);
}
