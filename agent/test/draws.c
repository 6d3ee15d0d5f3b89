/* flags: src/samples.c src/memory.c -lm */
/* The sampler's own draws: every block of n bytes is hit with 1 - exp(-n / mean), whatever came before it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "arch.h"
#include "gate.h"
#include "samples.h"
#include "sandbox.h"
#include "store.h"

struct store store;
/* In no sandbox. */
_Atomic bool sandbox_is_known;
long sandbox_call(long number, long a, long b, long c, long d, long e, long f) { return system_call(number, a, b, c, d, e, f); }
bool sandbox_clock_is_coarse(void) { return false; }
struct gate gate = {.mode = MODE_SAMPLED};
uint32_t store_append(enum layout_section section, const void *row) { return (void)section, (void)row, STORE_FULL; }

static struct layout_header header;
static int failed;

static bool is_hit(struct thread *thread, uint64_t size) {
  if ((thread->countdown -= (int64_t)size) > 0) return false;
  samples_draw(thread);
  return true;
}

/* Of `count` independent events of probability p, `seen`: beyond 4.5 standard deviations is one in 150,000. */
static void compare(const char *what, uint64_t size, uint64_t mean, double count, double p, double seen) {
  double z = (seen - count * p) / sqrt(count * p * (1 - p) + 1);
  if (fabs(z) < 4.5) return;
  printf("%s: blocks of %lu bytes at a mean of %lu: %.0f of %.0f, not %.0f (%.1f standard deviations)\n", what, (unsigned long)size,
         (unsigned long)mean, seen, count, count * p, z);
  failed++;
}

static double chance(uint64_t size, uint64_t mean) { return -expm1(-(double)size / (double)mean); }

static void alone(struct thread *thread, uint64_t size, uint64_t mean) {
  double p = chance(size, mean), hits = 0, pairs = 0;
  int count = 4000000;
  bool before = false;
  for (int i = 0; i < count; i++) {
    bool hit = is_hit(thread, size);
    hits += hit;
    pairs += hit && before;
    before = hit;
  }
  compare("hits", size, mean, count, p, hits);
  /* Neighbours are independent of each other. */
  compare("hits after a hit", size, mean, hits, p, pairs);
}

/* Each size keeps its own chance between others, in step with them or not. */
static void mixed(struct thread *thread, uint64_t mean, bool in_turn) {
  static const uint64_t sizes[] = {24, 10024, 20024, 100, 65536};
  enum { SIZES = sizeof sizes / sizeof *sizes };
  double hits[SIZES] = {0}, seen[SIZES] = {0};
  for (int i = 0; i < 4000000; i++) {
    int one = (in_turn ? i : rand()) % SIZES;
    seen[one]++;
    hits[one] += is_hit(thread, sizes[one]);
  }
  for (int i = 0; i < SIZES; i++) compare(in_turn ? "in turn" : "mixed", sizes[i], mean, seen[i], chance(sizes[i], mean), hits[i]);
}

int main(void) {
  static const uint64_t means[] = {256, 65536, 1 << 20}, sizes[] = {1, 16, 100, 1000, 4096, 16384, 65536, 250000};
  static struct thread thread;
  store.header = &header;
  for (unsigned m = 0; m < sizeof means / sizeof *means; m++) {
    atomic_store(&header.mean_bytes, means[m]);
    thread.random = 0x1234567 + m;
    samples_draw(&thread);
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) alone(&thread, sizes[s], means[m]);
    mixed(&thread, means[m], true);
    mixed(&thread, means[m], false);
  }
  return failed != 0;
}
