/* Sampled mode: each byte allocated is a point of a Poisson process with probability 1 / mean; a block that holds one is recorded. */
#ifndef MEMSURGE_SAMPLES_H
#define MEMSURGE_SAMPLES_H

#include "threads.h"

/** An empty filter; sampled mode only. False when there is no memory for it. */
bool samples_start(void);
/** Draws the distance to the thread's next sample; in exact mode every allocation is one. */
void samples_draw(struct thread *);
/** Appends the sample of a block; its row, or STORE_FULL. */
uint32_t samples_add(struct thread *, uint64_t address, uint64_t size, uint32_t stack);
/** The block of a sample is released. */
void samples_released(uint32_t row);

/** A block came to be known, or is no longer, at an address: so that frees of all others can pass by. */
void filter_add(uint64_t address);
void filter_remove(uint64_t address);

#endif
