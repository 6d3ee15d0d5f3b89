#include "record.h"

#include "agent.h"
#include "blocks.h"
#include "counters.h"
#include "samples.h"
#include "stacks.h"
#include "store.h"

static void count_loss(_Atomic uint64_t *loss) { atomic_fetch_add_explicit(loss, 1, memory_order_relaxed); }

static void drop(uint64_t bytes) {
  count_loss(&store.header->losses.dropped_count);
  atomic_fetch_add_explicit(&store.header->losses.dropped_bytes, bytes, memory_order_relaxed);
}

/* Bookkeeping of a block that left the table. */
static void settle(struct thread *thread, const struct layout_block *block) {
  if (gate.mode == MODE_SAMPLED) samples_released(block->sample);
  else counters_freed(thread, KIND_NATIVE_HEAP, block->stack, block->thread, block->size, 1);
}

/* False: nothing is known of the block now. */
static bool put(struct thread *thread, const struct layout_block *block) {
  struct layout_block replaced;
  enum blocks_put_result result = blocks_put(block, &replaced);
  if (result == BLOCKS_REPLACED) {
    settle(thread, &replaced);
    count_loss(&store.header->losses.missed_free_count);
  }
  if (result == BLOCKS_FULL) drop(block->size);
  else if (result == BLOCKS_PUT && gate.mode == MODE_SAMPLED) filter_add(block->address);
  return result != BLOCKS_FULL;
}

static void alloc_exact(struct thread *thread, struct layout_block *block) {
  thread->countdown--; /* a block of no bytes, too, is seen by the call around it */
  counters_expect(block->stack);
  if (put(thread, block)) counters_allocated(thread, KIND_NATIVE_HEAP, block->stack, block->size);
}

static void alloc_sampled(struct thread *thread, struct layout_block *block) {
  block->sample = samples_add(thread, block->address, block->size, block->stack);
  samples_draw(thread);
  if (block->sample == STORE_FULL) drop(block->size);
  else put(thread, block);
}

/* A thread that has just come to be known drew its first sample after the hook had looked. */
static bool passes_after_all(struct thread *thread, size_t size) {
  return gate.mode == MODE_SAMPLED && thread->countdown > 0 && (thread->countdown -= (int64_t)size) > 0;
}

static bool last_contains(const struct thread *thread, uint64_t address) {
  return thread->last_size == 0 ? address == thread->last_allocated : address - thread->last_allocated < thread->last_size;
}

bool record_last_contains(const void *block) {
  const struct thread *thread = thread_self();
  return thread != NULL && thread->last_allocated != 0 && last_contains(thread, (uint64_t)block);
}

bool record_last_is(const void *block) {
  const struct thread *thread = thread_self();
  return thread != NULL && thread->last_allocated == (uint64_t)block;
}

/*
 * The block that an allocation inside of this call got is the caller's now, or contains it (an allocator's calloc or
 * memalign made of its malloc): it stays the one block it is, at the address and of the size that the program knows.
 */
static bool take_over(struct thread *thread, uint64_t address, uint64_t size) {
  struct layout_block block;
  if (thread->last_allocated == 0 || !last_contains(thread, address) || !blocks_take(thread->last_allocated, &block)) return false;
  if (gate.mode == MODE_SAMPLED) {
    filter_remove(thread->last_allocated);
  } else {
    counters_resized(thread, block.stack, (int64_t)size - (int64_t)block.size);
    block.size = size;
  }
  atomic_store_explicit(&block.address, address, memory_order_relaxed);
  put(thread, &block);
  thread->last_allocated = address;
  thread->last_size = block.size;
  return true;
}

/* In sampled mode whatever was allocated inside had its chance, recorded or not. */
static bool was_inside(struct thread *thread, uint64_t address, uint64_t size) {
  return take_over(thread, address, size) || gate.mode == MODE_SAMPLED;
}

void record_alloc(void *address, size_t size, bool nested, const struct unwind_registers *registers) {
  struct thread *thread = thread_enter();
  if (UNLIKELY(thread == NULL)) return;
  if (UNLIKELY(nested) ? !was_inside(thread, (uint64_t)address, size) : !passes_after_all(thread, size)) {
    blocks_expect((uint64_t)address);
    struct layout_block block = {
        .address = (uint64_t)address,
        .size = size,
        .stack = stacks_here(thread, KIND_NATIVE_HEAP, registers),
        .tick = atomic_load_explicit(&store.header->tick, memory_order_relaxed),
        .thread = thread->serial,
    };
    if (gate.mode == MODE_SAMPLED) alloc_sampled(thread, &block);
    else alloc_exact(thread, &block);
    thread->last_allocated = (uint64_t)address;
    thread->last_size = size;
    thread->freed_since = false;
    if (UNLIKELY(atomic_load_explicit(&store.header->stop, memory_order_relaxed))) agent_stop_requested();
  }
  thread_leave(thread);
}

/* Takes a block out of the table. What is just departing is given back by the real call, perhaps through our hooks. */
static bool take(struct thread *thread, uint64_t address, struct layout_block *block) {
  if (blocks_take(address, block)) {
    if (gate.mode == MODE_SAMPLED) filter_remove(address);
    return true;
  }
  if (gate.mode == MODE_EXACT && thread->departing != address) count_loss(&store.header->losses.unknown_freed_count);
  return false;
}

/* The thread's very next event after its allocation makes it temporary. */
static void count_temporary(struct thread *thread, const struct layout_block *block) {
  bool is_last = !thread->freed_since && thread->last_allocated == block->address && block->thread == thread->serial;
  if (is_last && gate.mode == MODE_EXACT) store_counters(block->stack)->temporary_count++;
  thread->freed_since = true;
}

void record_free(void *address) {
  struct thread *thread = thread_enter();
  if (UNLIKELY(thread == NULL)) return;
  struct layout_block block;
  if (take(thread, (uint64_t)address, &block)) {
    settle(thread, &block);
    count_temporary(thread, &block);
  }
  thread_leave(thread);
}

void record_free_by(void *block) {
  RECORD_FREE(block);
  struct thread *thread = thread_self();
  if (thread != NULL) thread->departing = (uint64_t)block;
}

void record_freed_by(void) {
  struct thread *thread = thread_self();
  if (thread != NULL) thread->departing = 0;
}

void record_depart(void *address, struct departing *departing) {
  departing->recording = 0;
  if (address == NULL || !gate_may_know(address)) return;
  struct thread *thread = thread_enter();
  if (thread == NULL) return;
  if (take(thread, (uint64_t)address, &departing->block)) {
    departing->recording = thread->recording;
    thread->departing = (uint64_t)address;
  }
  thread_leave(thread);
}

/* The recording may have ended, and another begun, while the block was on its way. */
static struct thread *enter_again(const struct departing *departing) {
  if (departing->recording == 0) return NULL;
  struct thread *thread = thread_enter();
  if (thread == NULL) return NULL;
  thread->departing = 0;
  if (thread->recording == departing->recording) return thread;
  thread_leave(thread);
  return NULL;
}

void record_departed(const struct departing *departing) {
  struct thread *thread = enter_again(departing);
  if (thread == NULL) return;
  settle(thread, &departing->block);
  count_temporary(thread, &departing->block);
  thread_leave(thread);
}

void record_back(const struct departing *departing) {
  struct thread *thread = enter_again(departing);
  if (thread == NULL) return;
  put(thread, &departing->block);
  thread_leave(thread);
}
