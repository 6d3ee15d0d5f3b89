#include <malloc.h>

#include <cstdlib>
#include <cstring>

#include "sites.h"

void *volatile s_sink;

/** 1000 blocks of 100 bytes, none released. */
SITE void steady_leak() {
  for (int i = 0; i < 1000; i++) s_sink = malloc(100);
}

/** Ten blocks each of 0 bytes and of 1, 2, 4 … 65536; every second one is released. */
SITE void mixed_sizes() {
  for (int size = 0; size <= 65536; size = size == 0 ? 1 : size * 2) {
    void *blocks[10];
    for (void *&block : blocks) s_sink = block = malloc(size);
    for (int i = 1; i < 10; i += 2) free(blocks[i]);
  }
}

/** Twenty blocks of 10 × 30 bytes, the first five released. */
SITE void zeroed_blocks() {
  void *blocks[20];
  for (void *&block : blocks) s_sink = block = calloc(10, 30);
  for (int i = 0; i < 5; i++) free(blocks[i]);
}

/** 500 temporary blocks of 40 bytes, and 100 pairs of 40 and 60 bytes that are not temporary; all released. */
SITE void temporary_share() {
  for (int i = 0; i < 500; i++) {
    s_sink = malloc(40);
    free(s_sink);
  }
  for (int i = 0; i < 100; i++) {
    void *first = s_sink = malloc(40);
    void *second = s_sink = malloc(60);
    free(first);
    free(second);
  }
}

/** Ten blocks that grow from 16 to 1024 bytes by doubling; the last size is kept, those before it are temporary. */
SITE void realloc_chain() {
  for (int i = 0; i < 10; i++) {
    void *block = s_sink = malloc(16);
    for (int size = 32; size <= 1024; size *= 2) s_sink = block = realloc(block, size);
  }
}

/** Two blocks that grow in turns from 100 to 500 bytes and are kept: none is temporary. */
SITE void realloc_in_turns() {
  void *blocks[2] = {};
  for (int size = 100; size <= 500; size += 100)
    for (void *&block : blocks) s_sink = block = realloc(block, size);
}

/** Blocks of 50 and 60 bytes; the first is released by realloc to nothing. */
SITE void realloc_to_zero() {
  void *first = s_sink = malloc(50);
  s_sink = malloc(60);
  s_sink = realloc(first, 0);
}

/** 64 blocks of 1 MiB at once, all released: the program's peak. */
SITE void short_peak() {
  void *blocks[64];
  for (void *&block : blocks) s_sink = block = malloc(1 << 20);
  for (void *block : blocks) free(block);
}

/** Five blocks of 300 bytes by posix_memalign and five of 320 by aligned_alloc; two of the first are released. */
SITE void aligned_blocks() {
  void *blocks[5];
  for (void *&block : blocks) {
    if (posix_memalign(&block, 64, 300) != 0) abort();
    s_sink = block;
  }
  for (int i = 0; i < 5; i++) s_sink = aligned_alloc(64, 320);
  free(blocks[0]);
  free(blocks[1]);
}

/** Three blocks each of 100, 200 and 300 bytes by memalign, valloc and pvalloc, all kept. */
SITE void memalign_blocks() {
  for (int i = 0; i < 3; i++) {
    s_sink = memalign(32, 100);
    s_sink = valloc(200);
    s_sink = pvalloc(300);
  }
}

/** Fifty strings of 21 characters, and five arrays of 10 × 30 bytes by reallocarray, allocated by libc for us and kept. */
SITE void copy_strings() {
  for (int i = 0; i < 50; i++) s_sink = strdup("twenty-one characters");
  for (int i = 0; i < 5; i++) s_sink = reallocarray(nullptr, 10, 30);
}
