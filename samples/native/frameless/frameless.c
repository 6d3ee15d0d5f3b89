#include <stdlib.h>

static void *volatile s_sink;

/** Leaks; negative sizes only say that it is there. The result keeps callers from jumping here instead of calling. */
int leak_block(int size) {
  if (size >= 0) s_sink = malloc((size_t)size);
  return size;
}
