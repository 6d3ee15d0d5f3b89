#include "samples.h"

#include "agent.h"
#include "arch.h"
#include "memory.h"
#include "store.h"

#define FILTER_BYTES ((size_t)1 << FILTER_BITS)
#define ROWS_PER_DOUBLING (1u << 20)

static uint8_t *filter;

/* Kept from one recording to the next: a thread on its way to a free may still look at it. */
bool samples_start(void) {
  if (filter == NULL) filter = memory_map(FILTER_BYTES, MEMORY_ZERO);
  else memory_clear(filter, FILTER_BYTES);
  gate.filter = filter;
  return filter != NULL;
}

static uint64_t next_random(struct thread *thread) { /* splitmix64 */
  uint64_t z = thread->random += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* ln x for 0 < x <= 1, to 1e-10: no libm in a hook. x = m · 2^e with m in [√½, √2), ln m = 2 artanh((m − 1) / (m + 1)). */
static double natural_log(double x) {
  union {
    double value;
    uint64_t bits;
  } m = {x};
  int exponent = (int)(m.bits >> 52) - 1022;
  m.bits = (m.bits & 0x000fffffffffffffu) | 0x3fe0000000000000u;
  if (m.value < 0.70710678118654752) {
    m.value *= 2;
    exponent--;
  }
  double s = (m.value - 1) / (m.value + 1), t = s * s;
  double series = 1 + t * (1.0 / 3 + t * (1.0 / 5 + t * (1.0 / 7 + t * (1.0 / 9 + t * (1.0 / 11 + t / 13)))));
  return exponent * 0.69314718055994531 + 2 * s * series;
}

/* Exponential, rounded up: P(distance > n) = exp(-n / mean) for every whole n, so a block of n bytes is hit with 1 - exp(-n / mean). */
void samples_draw(struct thread *thread) {
  if (gate.mode == MODE_EXACT) {
    thread->countdown = 0;
    return;
  }
  thread->mean = atomic_load_explicit(&store.header->mean_bytes, memory_order_relaxed);
  double uniform = (double)((next_random(thread) >> 11) + 1) * 0x1p-53;
  thread->countdown = (int64_t)(-natural_log(uniform) * (double)thread->mean) + 1;
}

uint32_t samples_add(struct thread *thread, uint64_t address, uint64_t size, uint32_t stack) {
  struct layout_sample sample = {
      .address = address, .size = size, .time = monotonic_ns(), .stack = stack, .mean_bytes = thread->mean};
  uint32_t row = store_append(SECTION_SAMPLES, &sample);
  if (row != STORE_FULL && (row + 1) % ROWS_PER_DOUBLING == 0) {
    atomic_store_explicit(&store.header->mean_bytes, atomic_load(&store.header->mean_bytes) * 2, memory_order_relaxed);
  }
  return row;
}

static struct layout_sample *sample_at(uint32_t row) { return (struct layout_sample *)store_rows(SECTION_SAMPLES) + row; }

void samples_released(uint32_t row) { atomic_store_explicit(&sample_at(row)->released_time, monotonic_ns(), memory_order_relaxed); }

/* A byte counts the blocks of its addresses; at 255 it stays there for good and only costs look-ups. */
void filter_add(uint64_t address) {
  uint8_t *byte = &filter[filter_place(address_hash(address))];
  uint8_t count = __atomic_load_n(byte, __ATOMIC_RELAXED);
  while (count < 255 && !__atomic_compare_exchange_n(byte, &count, count + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

void filter_remove(uint64_t address) {
  uint8_t *byte = &filter[filter_place(address_hash(address))];
  uint8_t count = __atomic_load_n(byte, __ATOMIC_RELAXED);
  while (count < 255 && count > 0 &&
         !__atomic_compare_exchange_n(byte, &count, count - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}
