/* Hash tables of one thread, or under one lock: open addressing, linear probing, in the agent's private memory. */
#ifndef MEMSURGE_INDEX_H
#define MEMSURGE_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "memory.h"

/** Slot: upper half of a key's hash and a row that is never 0. The row itself tells whether it is the key's. */
struct index {
  uint64_t *slots;
  uint32_t mask;
  uint32_t used;
};

static inline uint64_t index_slot(uint64_t hash, uint32_t row) { return (hash & 0xffffffff00000000u) | row; }

/* The tag is all that is left of the hash when the table grows, so the place must come from it: its upper bits first. */
static inline uint32_t index_place(uint64_t hash, uint32_t mask) {
  return (uint32_t)(((hash >> 32) * ((uint64_t)mask + 1)) >> 32);
}

/** Makes room for some more rows, a few hundred at most; false when there is no memory. */
static inline bool index_reserve(struct index *index, uint32_t count) {
  if (index->slots != NULL && index->used + count <= index->mask - index->mask / 4) return true;
  uint32_t size = index->slots == NULL ? 512 : (index->mask + 1) * 2;
  uint64_t *slots = memory_map_table(size * sizeof *slots);
  if (slots == NULL) return false;
  for (uint32_t i = 0; index->slots != NULL && i <= index->mask; i++) {
    if (index->slots[i] == 0) continue;
    uint32_t place = index_place(index->slots[i], size - 1);
    while (slots[place] != 0) place = (place + 1) & (size - 1);
    slots[place] = index->slots[i];
  }
  memory_unmap(index->slots, ((uint64_t)index->mask + 1) * sizeof *slots);
  index->slots = slots;
  index->mask = size - 1;
  return true;
}

/** Adds a row that is not there; index_reserve was called. */
static inline void index_add(struct index *index, uint64_t hash, uint32_t row) {
  uint32_t place = index_place(hash, index->mask);
  while (index->slots[place] != 0) place = (place + 1) & index->mask;
  index->slots[place] = index_slot(hash, row);
  index->used++;
}

static inline void index_drop(struct index *index) {
  if (index->slots != NULL) memory_unmap(index->slots, ((uint64_t)index->mask + 1) * sizeof *index->slots);
  memset(index, 0, sizeof *index);
}

/** Hash of a whole stack → its row; the 64-bit hash is the key. */
struct stack_slot {
  uint64_t hash;
  uint64_t stack;
};
struct stack_index {
  struct stack_slot *slots;
  uint32_t mask;
  uint32_t used;
};

static inline uint32_t stack_index_find(const struct stack_index *index, uint64_t hash) {
  if (index->slots == NULL) return 0;
  for (uint32_t place = (uint32_t)hash & index->mask;; place = (place + 1) & index->mask) {
    const struct stack_slot *slot = &index->slots[place];
    if (slot->hash == hash) return (uint32_t)slot->stack;
    if (slot->stack == 0) return 0;
  }
}

static inline void stack_index_put(struct stack_slot *slots, uint32_t mask, uint64_t hash, uint64_t stack) {
  uint32_t place = (uint32_t)hash & mask;
  while (slots[place].stack != 0) place = (place + 1) & mask;
  slots[place] = (struct stack_slot){hash, stack};
}

/** Makes room for some more; false when there is no memory. */
static inline bool stack_index_reserve(struct stack_index *index, uint32_t count) {
  if (index->slots != NULL && index->used + count <= index->mask - index->mask / 4) return true;
  uint32_t size = index->slots == NULL ? 256 : (index->mask + 1) * 2;
  struct stack_slot *slots = memory_map_table(size * sizeof *slots);
  if (slots == NULL) return false;
  for (uint32_t i = 0; index->slots != NULL && i <= index->mask; i++) {
    if (index->slots[i].stack != 0) stack_index_put(slots, size - 1, index->slots[i].hash, index->slots[i].stack);
  }
  memory_unmap(index->slots, ((uint64_t)index->mask + 1) * sizeof *slots);
  index->slots = slots;
  index->mask = size - 1;
  return true;
}

static inline bool stack_index_add(struct stack_index *index, uint64_t hash, uint32_t stack) {
  if (!stack_index_reserve(index, 1)) return false;
  stack_index_put(index->slots, index->mask, hash, stack);
  index->used++;
  return true;
}

static inline void stack_index_drop(struct stack_index *index) {
  if (index->slots != NULL) memory_unmap(index->slots, ((uint64_t)index->mask + 1) * sizeof *index->slots);
  memset(index, 0, sizeof *index);
}

#endif
