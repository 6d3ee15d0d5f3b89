#include "stacks.h"

#include "arch.h"
#include "lock.h"
#include "store.h"

/* Places in a table of a program that may not ask for memory any more. */
#define LEAST_AHEAD 16384

/* All threads meet the same code: program counters are shared. */
static struct lock pcs_lock;
static struct index pcs;
/* unwind_code_epoch of what is in `pcs`. */
static uint32_t pcs_epoch;

static inline uint64_t mix(uint64_t a, uint64_t b) {
  __uint128_t product = (__uint128_t)(a ^ b) * 0x9e3779b97f4a7c15u;
  return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

bool stacks_start(bool after_fork) {
  pcs_lock = (struct lock){0};
  if (after_fork) pcs = (struct index){0};
  index_drop(&pcs);
  pcs_epoch = unwind_code_epoch();
  return store_extend(SECTION_PCS, 1) == 0 && store_extend(SECTION_NODES, 1) == 0 && store_extend(SECTION_STACKS, 1) == 0 &&
         store_reserve_rows(SECTION_COUNTERS, 1) && store_reserve_rows(SECTION_DIRTY, 1);
}

static inline uint64_t pc_hash(uint64_t pc) { return mix(pc, 0x2545f4914f6cdd1d); }

static uint32_t append_pc(uint64_t pc, uint64_t hash) {
  if (!index_reserve(&pcs, 1)) return 0;
  struct layout_pc row = {pc, monotonic_ns()};
  uint32_t added = store_append(SECTION_PCS, &row);
  if (added == STORE_FULL) return 0;
  index_add(&pcs, hash, added);
  return added;
}

/* Row of PCS, 0 when there is no room. */
static uint32_t pc_row(uint64_t pc) {
  const struct layout_pc *rows = store_rows(SECTION_PCS);
  uint64_t hash = pc_hash(pc), slot;
  if (pcs.slots == NULL) return append_pc(pc, hash);
  for (uint32_t place = index_place(hash, pcs.mask); (slot = pcs.slots[place]) != 0; place = (place + 1) & pcs.mask) {
    if (slot == index_slot(hash, (uint32_t)slot) && rows[(uint32_t)slot].pc == pc) return (uint32_t)slot;
  }
  return append_pc(pc, hash);
}

/* Rows of PCS of some frames; false when there is no room. */
static bool find_pcs(const struct unwind_frame *frames, uint32_t count, uint32_t *rows) {
  bool found = true;
  lock_enter(&pcs_lock);
  if (UNLIKELY(pcs_epoch != unwind_code_epoch())) {
    index_drop(&pcs);
    pcs_epoch = unwind_code_epoch();
  }
  for (uint32_t i = 0; i < count && pcs.slots != NULL; i++) __builtin_prefetch(&pcs.slots[index_place(pc_hash(frames[i].pc), pcs.mask)]);
  for (uint32_t i = 0; i < count && found; i++) found = (rows[i] = pc_row(frames[i].pc)) != 0;
  lock_leave(&pcs_lock);
  return found;
}

/* Row of NODES for a path from the root by the hash of the path, 0 when it is new. */
static uint32_t find_node(const struct index *index, const struct unwind_frame *frame) {
  const struct layout_node *rows = store_rows(SECTION_NODES);
  const struct layout_pc *pc_rows = store_rows(SECTION_PCS);
  uint64_t slot;
  for (uint32_t place = index_place(frame->hash, index->mask); (slot = index->slots[place]) != 0; place = (place + 1) & index->mask) {
    uint32_t row = (uint32_t)slot;
    if (slot == index_slot(frame->hash, row) && pc_rows[rows[row].pc].pc == frame->pc) return row;
  }
  return 0;
}

#define NODES_AT_ONCE 16

/* Adds a path below `parent`, at most NODES_AT_ONCE frames; the node of its last, 0 when there is no room. */
static uint32_t append_nodes(struct thread *thread, uint32_t parent, struct unwind_frame *frames, uint32_t count) {
  uint32_t pc_of[NODES_AT_ONCE];
  if (!find_pcs(frames, count, pc_of) || !index_reserve(&thread->nodes, count)) return 0;
  uint32_t first = store_claim(SECTION_NODES, count);
  if (first == STORE_FULL) return 0;
  struct layout_node *rows = store_rows(SECTION_NODES);
  for (uint32_t i = 0; i < count; i++) {
    rows[first + i] = (struct layout_node){parent, pc_of[i]};
    parent = frames[i].node = first + i;
  }
  store_count(SECTION_NODES, first + count);
  for (uint32_t i = 0; i < count; i++) index_add(&thread->nodes, frames[i].hash, first + i);
  return parent;
}

/* A stack's counters and dirty byte are there before the stack is. */
static uint32_t append_stack(uint32_t node, uint32_t flags) {
  struct layout_stack row = {node, flags};
  uint32_t rows = atomic_load_explicit(&store.header->sections[SECTION_STACKS].rows, memory_order_relaxed);
  /* Others may append as many as they are threads meanwhile. In whole steps, as each takes a lock. */
  uint32_t steps = rows / 64 + 2;
  if (!store_reserve_rows(SECTION_COUNTERS, steps * 64) || !store_reserve_rows(SECTION_DIRTY, steps + 1)) return 0;
  uint32_t added = store_append(SECTION_STACKS, &row);
  return added == STORE_FULL ? 0 : added;
}

bool stacks_root(struct thread *thread) {
  struct layout_node root = {0, NODE_THREAD_ROOT | thread->serial};
  thread->root_node = store_append(SECTION_NODES, &root);
  if (thread->root_node == STORE_FULL) return false;
  thread->root_stacks[KIND_NATIVE_HEAP] = append_stack(thread->root_node, KIND_NATIVE_HEAP);
  thread->root_stacks[KIND_MAPPED] = append_stack(thread->root_node, KIND_MAPPED);
  return thread->root_stacks[KIND_NATIVE_HEAP] != 0 && thread->root_stacks[KIND_MAPPED] != 0;
}

/* A reserve for less than what is free does nothing, one for more doubles the table. */
void stacks_reserve_ahead(struct thread *thread) {
  lock_enter(&pcs_lock);
  while (pcs.mask < LEAST_AHEAD && index_reserve(&pcs, pcs.mask + 1)) {}
  lock_leave(&pcs_lock);
  while (thread->nodes.mask < LEAST_AHEAD && index_reserve(&thread->nodes, thread->nodes.mask + 1)) {}
  while (thread->stacks.mask < LEAST_AHEAD && stack_index_reserve(&thread->stacks, thread->stacks.mask + 1)) {}
}

/*
 * How many of the frames, from the root, are known, their nodes set. Where the walk before was left is most often where
 * new ground begins; but then all further frames are added, so their places in the index are asked for at once.
 */
static uint32_t find_known(struct thread *thread, uint32_t unchanged) {
  struct unwind_frame *frames = thread->walker.frames;
  const struct index *index = &thread->nodes;
  uint32_t known = unchanged, depth = thread->walker.depth;
  while (known > 0 && frames[known - 1].node == 0) known--;
  if (index->slots == NULL) return known;
  for (uint32_t i = known; i < depth; i++) __builtin_prefetch(&index->slots[index_place(frames[i].hash, index->mask)], 1);
  while (known < depth && (frames[known].node = find_node(index, &frames[known])) != 0) known++;
  return known;
}

/* The node of the whole stack, 0 when there is no room. */
static uint32_t intern(struct thread *thread, uint32_t unchanged) {
  struct walker *walker = &thread->walker;
  uint32_t known = find_known(thread, unchanged);
  uint32_t node = known > 0 ? walker->frames[known - 1].node : thread->root_node;
  while (known < walker->depth && node != 0) {
    uint32_t left = walker->depth - known, count = left < NODES_AT_ONCE ? left : NODES_AT_ONCE;
    node = append_nodes(thread, node, &walker->frames[known], count);
    known += count;
  }
  return node;
}

static uint32_t add_stack(struct thread *thread, enum layout_kind kind, uint32_t flags, uint64_t key, uint32_t unchanged) {
  uint32_t node = intern(thread, unchanged);
  uint32_t stack = node == 0 ? 0 : append_stack(node, kind | flags);
  if (stack == 0 || !stack_index_add(&thread->stacks, key, stack)) {
    atomic_fetch_add_explicit(&store.header->losses.stackless_count, 1, memory_order_relaxed);
    return thread->root_stacks[kind];
  }
  return stack;
}

/* Other code may lie at known addresses now: from here on they are other program counters, and the stacks other stacks. */
static void forget_code(struct thread *thread, uint32_t epoch) {
  thread->code_epoch = epoch;
  index_drop(&thread->nodes);
  stack_index_drop(&thread->stacks);
  for (uint32_t i = 0; i < thread->walker.depth; i++) thread->walker.frames[i].node = 0;
}

uint32_t stacks_here(struct thread *thread, enum layout_kind kind, const struct unwind_registers *registers) {
  struct walker *walker = &thread->walker;
  uint32_t flags = 0;
  uint32_t unchanged = unwind(walker, registers, &flags);
  if (UNLIKELY(thread->code_epoch != unwind_code_epoch())) forget_code(thread, unwind_code_epoch());
  uint64_t hash = unchanged > 0 ? walker->frames[unchanged - 1].hash : 0x6d656d7375726765;
  for (uint32_t i = unchanged; i < walker->depth; i++) {
    hash = mix(hash, walker->frames[i].pc);
    walker->frames[i].hash = hash;
    walker->frames[i].node = 0;
  }
  uint64_t key = hash + (kind | flags) * 0x9e3779b97f4a7c15u;
  uint32_t stack = stack_index_find(&thread->stacks, key);
  return LIKELY(stack != 0) ? stack : add_stack(thread, kind, flags, key, unchanged);
}
