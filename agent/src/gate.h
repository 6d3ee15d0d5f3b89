/*
 * What a hook looks at first. The gate is a page of its own that a child made by fork finds zeroed, that is WAITING:
 * nothing of its parent's state is looked at again, and its first hook starts a file of its own.
 */
#ifndef MEMSURGE_GATE_H
#define MEMSURGE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum gate_phase {
  GATE_WAITING = 0,
  GATE_STARTING,
  GATE_RECORDING,
  GATE_STOPPED,
  /** Not asked for, or not possible: the hooks only pass calls on. */
  GATE_INERT,
};

struct gate {
  _Atomic uint32_t phase;
  /** Number of the recording, from 1 on: what a thread or a block in passing knows of an earlier one means nothing in this one. */
  uint32_t recording;
  /** layout_mode. */
  uint32_t mode;
  /** Sampled mode: nothing recorded lives at an address whose byte is 0 (samples.h). NULL: every free is looked up. */
  uint8_t *filter;
} __attribute__((aligned(4096)));
extern struct gate gate;

#define FILTER_BITS 18

static inline uint64_t address_hash(uint64_t address) { return (address >> 4) * 0x9e3779b97f4a7c15u; }
static inline uint32_t filter_place(uint64_t hash) { return (uint32_t)(hash >> (64 - FILTER_BITS)); }

/** False: the address is certainly not recorded. */
static inline bool gate_may_know(const void *block) {
  const uint8_t *filter = gate.filter;
  return filter == NULL || filter[filter_place(address_hash((uint64_t)block))] != 0;
}

#endif
