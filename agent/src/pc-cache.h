/* Remembers the rule of every code address that a walk came by. Any thread reads and writes it, without a lock. */
#ifndef MEMSURGE_PC_CACHE_H
#define MEMSURGE_PC_CACHE_H

#include <stdatomic.h>

#include "arch.h"
#include "rule.h"

#define PC_CACHE_BITS 15

/* A way's words are written one after the other; `check` is wrong for any other pair of them, so half a write is a miss. */
struct pc_cache_way {
  _Atomic uint64_t check;
  _Atomic uint64_t rule;
};
struct pc_cache_set {
  struct pc_cache_way ways[2];
} __attribute__((aligned(32)));
extern struct pc_cache_set pc_cache[1 << PC_CACHE_BITS];

/** Counts, in its upper 17 bits, how often all was forgotten: part of every address that is looked up. */
extern _Atomic uint64_t pc_cache_epoch;
#define PC_CACHE_EPOCH_STEP ((uint64_t)1 << 47)

static inline void pc_cache_forget(void) { atomic_fetch_add(&pc_cache_epoch, PC_CACHE_EPOCH_STEP); }

static inline struct pc_cache_set *pc_cache_set_of(uint64_t address) {
  return &pc_cache[(address * 0x9e3779b97f4a7c15u) >> (64 - PC_CACHE_BITS)];
}

static inline rule pc_cache_read(const struct pc_cache_way *way, uint64_t tag) {
  rule found = atomic_load_explicit(&way->rule, memory_order_relaxed);
  return (atomic_load_explicit(&way->check, memory_order_relaxed) ^ found) == tag ? found : RULE_NONE;
}

static inline void pc_cache_write(struct pc_cache_way *way, uint64_t check, rule r) {
  atomic_store_explicit(&way->rule, r, memory_order_relaxed);
  atomic_store_explicit(&way->check, check, memory_order_relaxed);
}

/** RULE_NONE when the address is not remembered. */
static inline rule pc_cache_get(uint64_t address, uint64_t epoch) {
  const struct pc_cache_set *set = pc_cache_set_of(address);
  rule found = pc_cache_read(&set->ways[0], address ^ epoch);
  if (LIKELY(found != RULE_NONE)) return found;
  return pc_cache_read(&set->ways[1], address ^ epoch);
}

/** Remembers a rule; what the set came by before last is forgotten. */
void pc_cache_put(uint64_t address, uint64_t epoch, rule);

#endif
