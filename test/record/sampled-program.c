/* Eight functions allocate blocks of random sizes in random order, those of odd number free half of them. Prints where each
 * function is, the bytes it has left, its blocks, and the bytes it allocated. $1: the seed. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUNCTIONS 8
#define MOST 400000
#define MEAN 65536.0

static uint64_t state;
static uint64_t number(void) { /* splitmix64 */
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static double uniform(void) { return ((double)(number() >> 11) + 0.5) * 0x1p-53; }

static void *volatile sink;
/* Not the call that ends the function: its frame would be gone. */
#define FUNCTION(n) \
  __attribute__((noinline)) static void *allocate##n(size_t size) { \
    void *block = malloc(size); \
    sink = block; \
    return block; \
  }
FUNCTION(0) FUNCTION(1) FUNCTION(2) FUNCTION(3) FUNCTION(4) FUNCTION(5) FUNCTION(6) FUNCTION(7)
static void *(*const functions[FUNCTIONS])(size_t) = {allocate0, allocate1, allocate2, allocate3,
                                                      allocate4, allocate5, allocate6, allocate7};

static struct {
  int function;
  size_t size;
} plan[MOST];

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  state = strtoull(argv[1], NULL, 10);
  int count = 0;
  for (int i = 0; i < FUNCTIONS; i++) {
    double samples = exp(uniform() * log(500));
    int kinds = 1 + (int)(number() % 4);
    for (int kind = 0; kind < kinds; kind++) {
      size_t size = (size_t)exp(log(16) + uniform() * log(200000.0 / 16));
      double blocks = samples * 2 * uniform() / kinds / -expm1(-(double)size / MEAN);
      for (int j = 0; j < blocks && count < MOST; j++, count++) plan[count].function = i, plan[count].size = size;
    }
  }
  uint64_t left[FUNCTIONS] = {0}, blocks[FUNCTIONS] = {0}, allocated[FUNCTIONS] = {0};
  for (int i = 0; i < count; i++) {
    int other = i + (int)(number() % (uint64_t)(count - i)), function = plan[other].function;
    size_t size = plan[other].size;
    plan[other] = plan[i];
    void *block = functions[function](size);
    allocated[function] += size;
    if (function % 2 == 1 && number() % 2 == 0) {
      free(block);
      continue;
    }
    left[function] += size;
    blocks[function]++;
  }
  for (int i = 0; i < FUNCTIONS; i++)
    printf("%lu %lu %lu %lu\n", (unsigned long)(uintptr_t)functions[i], (unsigned long)left[i], (unsigned long)blocks[i], (unsigned long)allocated[i]);
  return 0;
}
