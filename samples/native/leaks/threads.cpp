#include <pthread.h>

#include <cstdlib>

#include "sites.h"

static void *s_produced[400];

/** 400 blocks of 256 bytes … */
SITE void produce() {
  for (void *&block : s_produced) s_sink = block = malloc(256);
}

/** … of which another thread releases 300, when theirs has ended. */
SITE void consume() {
  for (int i = 0; i < 300; i++) free(s_produced[i]);
}

static pthread_key_t s_key;
[[gnu::constructor]] static void create_key() { pthread_key_create(&s_key, free); }

/** 128 bytes that are released when the thread has ended its function, and ten blocks of 64 of which one is kept. */
SITE void short_lived() {
  pthread_setspecific(s_key, malloc(128));
  void *blocks[10];
  for (void *&block : blocks) s_sink = block = malloc(64);
  for (int i = 0; i < 9; i++) free(blocks[i]);
}

/** 5000 blocks of 100 to 160 bytes, of which every hundredth is kept and the others live for 16 turns. */
SITE void concurrent_worker() {
  constexpr int RING = 16;
  void *ring[RING] = {};
  for (int i = 0; i < 5000; i++) {
    void *block = s_sink = malloc(100 + i % 7 * 10);
    free(ring[i % RING]);
    ring[i % RING] = i % 100 == 0 ? nullptr : block;
  }
  for (int i = 5000; i < 5000 + RING; i++) free(ring[i % RING]);
}
