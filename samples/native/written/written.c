/*
 * Keeps 16 blocks of 1 MiB that it writes, 16 that it never writes, and 16 that it writes and of which it releases 12 when
 * it has read a line from its input; then it ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 16, RELEASED = 12, BYTES = 1 << 20 };

static void *volatile s_sink;
static void *s_released[BLOCKS];

__attribute__((noipa)) static void keep_written(void) {
  for (int i = 0; i < BLOCKS; i++) memset(s_sink = malloc(BYTES), 1, BYTES);
}

__attribute__((noipa)) static void keep_unwritten(void) {
  for (int i = 0; i < BLOCKS; i++) s_sink = malloc(BYTES);
}

__attribute__((noipa)) static void release_most(void) {
  for (int i = 0; i < BLOCKS; i++) s_released[i] = memset(malloc(BYTES), 1, BYTES);
}

int main(void) {
  keep_written();
  keep_unwritten();
  release_most();
  getchar();
  for (int i = 0; i < RELEASED; i++) free(s_released[i]);
  return 0;
}
