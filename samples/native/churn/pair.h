/* What churn and its library share: one block of random size, taken and given back below a known number of frames. */
#ifndef CHURN_PAIR_H
#define CHURN_PAIR_H

#include <stdint.h>
#include <stdlib.h>

/** The next of a sequence of numbers that look random (xorshift64); `state` is never 0. */
static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/** 16 to 256 bytes. */
static inline size_t random_size(uint64_t *state) { return 16 + next_random(state) % 241; }

/** The first byte is written, so that a compiler cannot take the pair away. */
__attribute__((noipa)) static void churn_once(size_t size) {
  volatile char *block = malloc(size);
  *block = 1;
  free((void *)block);
}

#endif
