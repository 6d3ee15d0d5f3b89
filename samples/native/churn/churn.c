/*
 * Takes and gives back blocks as fast as it goes, for measuring what recording adds to each pair of malloc and free.
 *
 *   churn [PAIRS [DEPTH [THREADS [PATHS]]]]     (10000000 8 1 1)
 *
 * Each thread makes PAIRS pairs of 16 to 256 bytes, each below DEPTH frames of its own that are entered anew for every
 * pair. PATHS is the number of different stacks they take turns with, at most 2^DEPTH. Prints as JSON what it did;
 * nsPerPair is what one thread waits for a pair, the mean of all threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "pair.h"

struct work {
  pthread_t thread;
  long pairs;
  int depth;
  int paths;
  uint64_t seed;
  double seconds;
};

static volatile int s_frames;

/* Two places call the next frame, and a bit of `path` chooses. The work after each call keeps the frame on the stack. */
__attribute__((noipa)) static void descend(int depth, int path, size_t size) {
  if (depth == 0) {
    churn_once(size);
  } else if (path & 1) {
    descend(depth - 1, path >> 1, size);
    s_frames = depth;
  } else {
    descend(depth - 1, path >> 1, size);
    s_frames = -depth;
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void *run(void *argument) {
  struct work *work = argument;
  uint64_t random = work->seed;
  double start = now();
  for (long i = 0, path = 0; i < work->pairs; i++, path = path + 1 == work->paths ? 0 : path + 1)
    descend(work->depth, (int)path, random_size(&random));
  work->seconds = now() - start;
  return NULL;
}

static long argument(int argc, char **argv, int at, long otherwise) { return at < argc ? atol(argv[at]) : otherwise; }

int main(int argc, char **argv) {
  long pairs = argument(argc, argv, 1, 10000000);
  int depth = (int)argument(argc, argv, 2, 8);
  int threads = (int)argument(argc, argv, 3, 1);
  int paths = (int)argument(argc, argv, 4, 1);
  if (pairs < 1 || depth < 0 || depth > 1000 || threads < 1 || threads > 64 || paths < 1) {
    fprintf(stderr, "usage: churn [PAIRS [DEPTH [THREADS [PATHS]]]]\n");
    return 2;
  }

  struct work works[64];
  for (int i = 0; i < threads; i++) {
    works[i] = (struct work){.pairs = pairs, .depth = depth, .paths = paths, .seed = 88172645463325252u + i};
    pthread_create(&works[i].thread, NULL, run, &works[i]);
  }
  double seconds = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(works[i].thread, NULL);
    seconds += works[i].seconds;
  }
  printf("{\"pairs\": %ld, \"depth\": %d, \"threads\": %d, \"paths\": %d, \"nsPerPair\": %.2f}\n", pairs, depth, threads,
         paths, seconds / threads / pairs * 1e9);
  return 0;
}
