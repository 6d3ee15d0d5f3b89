/* `nesting ROUNDS`: what an allocator like nesting-allocator.c is asked for, with known sums, which it prints as dump names them. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *_Znwm(size_t) __attribute__((weak));
extern void _ZdlPv(void *) __attribute__((weak));

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 0;
  void *object = _Znwm(1); /* so that whatever it takes to begin is the same for any number of rounds */
  _ZdlPv(object);
  for (int i = 0; i < rounds; i++) {
    void *cleared = calloc(10, 10);
    void *array = reallocarray(memalign(64, 1000), 30, 10); /* 1,000 gone, 300 stay */
    void *aligned;
    if (posix_memalign(&aligned, 256, 500) != 0) return 1;
    aligned = realloc(aligned, 700);
    volatile size_t huge = (size_t)1 << 50;
    if (realloc(aligned, huge) != NULL) return 1;
    if (realloc(aligned, 0) != NULL) return 1;
    object = _Znwm(68); /* 100 by malloc */
    if (i % 2) _ZdlPv(object);
    free(cleared);
    free(aligned_alloc(32, 64));
    if (array == NULL) return 1;
  }
  /* calloc 100, memalign 1000, reallocarray 300, posix_memalign 500, realloc 700, new 100, aligned_alloc 64 */
  char text[200];
  int length = snprintf(text, sizeof text, "native.allocated_count %d\nnative.allocated_bytes %d\nnative.live_bytes %d\nblocks.count %d\n",
                        7 * rounds, 2764 * rounds, 350 * rounds, rounds + rounds / 2);
  return write(1, text, (size_t)length) != length;
}
