#include "pc-cache.h"

struct pc_cache_set pc_cache[1 << PC_CACHE_BITS];
_Atomic uint64_t pc_cache_epoch;

void pc_cache_put(uint64_t address, uint64_t epoch, rule r) {
  struct pc_cache_way *ways = pc_cache_set_of(address)->ways;
  uint64_t tag = address ^ epoch;
  if (pc_cache_read(&ways[0], tag) == RULE_NONE) {
    pc_cache_write(&ways[1], atomic_load_explicit(&ways[0].check, memory_order_relaxed), atomic_load_explicit(&ways[0].rule, memory_order_relaxed));
  }
  pc_cache_write(&ways[0], tag ^ r, r);
}
