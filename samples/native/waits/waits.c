/*
 * A program that runs for a while, for attaching to it: it keeps 64 MiB in one block, 200000 blocks of 100 bytes and, in
 * each of three threads, 1000 blocks of 10000 bytes. Then it says "ready" and its pid. While the threads take and give
 * back blocks without a pause, it waits for a line; after that thread N of 1 to 3 keeps N * 1000 blocks of 128 bytes and
 * one of 1 MiB, and it says "kept". At the next line, or the end of its input, it ends with exit code 7.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3 };

static void *volatile s_sink;
static atomic_bool s_keep, s_end;
static pthread_barrier_t s_ready, s_kept;

__attribute__((noipa)) static void *take(size_t size) {
  char *block = malloc(size);
  memset(block, 1, size);
  return block;
}

__attribute__((noipa)) static void keep_before(int blocks, size_t size) {
  for (int i = 0; i < blocks; i++) s_sink = take(size);
}

__attribute__((noipa)) static void keep_small(int blocks) {
  for (int i = 0; i < blocks; i++) s_sink = take(128);
}

__attribute__((noipa)) static void keep_large(void) { s_sink = take(1 << 20); }

__attribute__((noipa)) static void take_and_give_back(size_t size) { free(take(size)); }

static void churn_until(atomic_bool *flag) {
  for (size_t i = 0; !atomic_load(flag); i++) take_and_give_back(16 + i % 3000);
}

static void *run(void *number) {
  keep_before(1000, 10000);
  pthread_barrier_wait(&s_ready);
  churn_until(&s_keep);
  keep_small(1000 * *(int *)number);
  keep_large();
  pthread_barrier_wait(&s_kept);
  churn_until(&s_end);
  return NULL;
}

static void wait_for_line(void) {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') {
  }
}

int main(void) {
  pthread_t threads[THREADS];
  int numbers[THREADS];
  keep_before(1, 64 << 20);
  keep_before(200000, 100);
  pthread_barrier_init(&s_ready, NULL, THREADS + 1);
  pthread_barrier_init(&s_kept, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i + 1;
    pthread_create(&threads[i], NULL, run, &numbers[i]);
  }
  pthread_barrier_wait(&s_ready);
  printf("ready %d\n", getpid());
  fflush(stdout);

  wait_for_line();
  atomic_store(&s_keep, true);
  pthread_barrier_wait(&s_kept);
  printf("kept\n");
  fflush(stdout);

  wait_for_line();
  atomic_store(&s_end, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("done\n");
  return 7;
}
