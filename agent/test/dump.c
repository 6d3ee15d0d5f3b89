/* flags: -lm */
/* Prints an agent's file as text: `dump FILE [stacks]`. Totals are `name value` lines, so that scripts can grep them. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"

static struct layout_header *header;
static void *sections[SECTION_COUNT];
static const void *rows(int section) { return sections[section]; }
static uint32_t count(int section) { return header->sections[section].rows; }

struct sums {
  uint64_t allocated_bytes, allocated_count, freed_bytes, freed_count, temporary_count, peak_bytes, peak_count;
};

static uint64_t freed_bytes(const struct layout_counters *row) { return row->own_freed_bytes + row->foreign_freed_bytes; }
static uint32_t live_count(const struct layout_counters *row) {
  return (uint32_t)row->allocated_count - row->own_freed_count - row->foreign_freed_count;
}
static uint64_t live_bytes(const struct layout_counters *row) { return row->allocated_bytes - freed_bytes(row); }

static struct sums sum(int kind) {
  struct sums sums = {0};
  const struct layout_counters *counters = rows(SECTION_COUNTERS);
  const struct layout_stack *stacks = rows(SECTION_STACKS);
  for (uint32_t i = 1; i < count(SECTION_STACKS); i++) {
    if ((int)(stacks[i].flags & 0xff) != kind) continue;
    const struct layout_counters *row = &counters[i];
    sums.allocated_bytes += row->allocated_bytes;
    sums.allocated_count += row->allocated_count;
    sums.freed_bytes += freed_bytes(row);
    sums.freed_count += row->allocated_count - live_count(row);
    sums.temporary_count += row->temporary_count;
    bool changed = row->peak_epoch == header->peak_epoch;
    sums.peak_bytes += changed ? row->peak_bytes : live_bytes(row);
    sums.peak_count += changed ? row->peak_count : live_count(row);
  }
  return sums;
}

static void print_sums(const char *name, int kind) {
  struct sums sums = sum(kind);
  printf("%s.allocated_bytes %" PRIu64 "\n%s.allocated_count %" PRIu64 "\n", name, sums.allocated_bytes, name, sums.allocated_count);
  printf("%s.freed_bytes %" PRIu64 "\n%s.freed_count %" PRIu64 "\n", name, sums.freed_bytes, name, sums.freed_count);
  printf("%s.live_bytes %" PRIu64 "\n", name, sums.allocated_bytes - sums.freed_bytes);
  printf("%s.temporary_count %" PRIu64 "\n%s.peak_bytes %" PRIu64 "\n", name, sums.temporary_count, name, sums.peak_bytes);
  printf("%s.peak_count %" PRIu64 "\n", name, sums.peak_count);
}

static void print_header(void) {
  printf("state %u\npid %d\nmode %u\nstart %u\nshadowed %u\n", header->state, header->pid, header->mode, header->start, header->shadowed);
  printf("sandboxed %u\n", header->sandboxed);
  printf("executable %s\ncommand_line", header->executable);
  for (const char *at = header->command_line; *at != 0; at += strlen(at) + 1) printf(" %s", at);
  printf("\n");
  uint64_t live = header->peak_bytes;
  for (int i = 0; i <= LAYOUT_ROOMS; i++) live -= header->gaps[i].bytes;
  printf("live_bytes %" PRIu64 "\npeak_bytes %" PRIu64 "\npeak_epoch %u\n", live, header->peak_bytes, header->peak_epoch);
  const struct layout_losses *losses = &header->losses;
  printf("dropped_count %" PRIu64 "\ndropped_bytes %" PRIu64 "\nstackless_count %" PRIu64 "\n", losses->dropped_count,
         losses->dropped_bytes, losses->stackless_count);
  printf("unknown_freed_count %" PRIu64 "\nmissed_free_count %" PRIu64 "\nskipped_count %" PRIu64 "\n",
         losses->unknown_freed_count, losses->missed_free_count, losses->skipped_count);
  static const char *const names[] = {"threads",  "modules", "strings", "pcs",  "nodes",  "stacks",
                                      "counters", "dirty",   "blocks",  "maps", "samples"};
  for (int i = 0; i < SECTION_COUNT; i++) printf("rows.%s %u\n", names[i], count(i));
}

static void print_tables(void) {
  uint64_t blocks = 0, bytes = 0, maps = 0, map_bytes = 0, samples = 0, live_samples = 0, ended = 0, broken = 0, truncated = 0;
  const struct layout_block *block = rows(SECTION_BLOCKS);
  for (uint32_t i = 0; i < count(SECTION_BLOCKS); i++) {
    if (block[i].address == 0) continue;
    blocks++;
    bytes += block[i].size;
  }
  const struct layout_map *map = rows(SECTION_MAPS);
  for (uint32_t i = 0; i < count(SECTION_MAPS); i++) {
    maps += map[i].length != 0;
    map_bytes += map[i].length;
  }
  double weighted = 0;
  const struct layout_sample *sample = rows(SECTION_SAMPLES);
  for (uint32_t i = 0; i < count(SECTION_SAMPLES); i++, samples++) {
    if (sample[i].released_time != 0) continue;
    live_samples++;
    weighted += (double)sample[i].size / -__builtin_expm1(-(double)sample[i].size / (double)sample[i].mean_bytes);
  }
  const struct layout_thread *thread = rows(SECTION_THREADS);
  for (uint32_t i = 0; i < count(SECTION_THREADS); i++) ended += thread[i].end_time != 0;
  const struct layout_stack *stack = rows(SECTION_STACKS);
  for (uint32_t i = 1; i < count(SECTION_STACKS); i++) {
    broken += (stack[i].flags & STACK_BROKEN) != 0;
    truncated += (stack[i].flags & STACK_TRUNCATED) != 0;
  }
  printf("blocks.count %" PRIu64 "\nblocks.bytes %" PRIu64 "\nmaps.count %" PRIu64 "\nmaps.bytes %" PRIu64 "\n", blocks, bytes, maps, map_bytes);
  printf("samples.count %" PRIu64 "\nsamples.live %" PRIu64 "\nsamples.live_estimate %.0f\n", samples, live_samples, weighted);
  printf("threads.ended %" PRIu64 "\nstacks.broken %" PRIu64 "\nstacks.truncated %" PRIu64 "\n", ended, broken, truncated);
}

static const struct layout_counters *sorted_by;
static int by_live(const void *a, const void *b) {
  uint64_t left = live_bytes(&sorted_by[*(const uint32_t *)a]), right = live_bytes(&sorted_by[*(const uint32_t *)b]);
  return left < right ? 1 : left > right ? -1 : 0;
}

/* Innermost first, as raw addresses. */
static void print_stacks(uint32_t most) {
  const struct layout_stack *stacks = rows(SECTION_STACKS);
  const struct layout_node *nodes = rows(SECTION_NODES);
  const struct layout_pc *pcs = rows(SECTION_PCS);
  const struct layout_thread *threads = rows(SECTION_THREADS);
  sorted_by = rows(SECTION_COUNTERS);
  uint32_t total = count(SECTION_STACKS), *order = malloc(total * sizeof *order);
  for (uint32_t i = 1; i < total; i++) order[i - 1] = i;
  qsort(order, total - 1, sizeof *order, by_live);
  for (uint32_t i = 0; i < total - 1 && i < most; i++) {
    const struct layout_counters *row = &sorted_by[order[i]];
    printf("stack %u flags %x live %" PRIu64 " allocated %" PRIu64 " in %" PRIu64 " temporary %" PRIu64 ":", order[i], stacks[order[i]].flags,
           live_bytes(row), row->allocated_bytes, row->allocated_count, row->temporary_count);
    uint32_t node = stacks[order[i]].node;
    for (; nodes[node].parent != 0; node = nodes[node].parent) printf(" %" PRIx64, pcs[nodes[node].pc].pc);
    uint32_t serial = nodes[node].pc & ~NODE_THREAD_ROOT;
    printf(" thread %u %s\n", serial, threads[serial].name);
  }
  free(order);
}

/* By read, not mmap: touching a hole of a file on a full tmpfs raises SIGBUS. */
static void *read_at(int fd, uint64_t offset, uint64_t bytes) {
  char *into = calloc(1, bytes + 1);
  for (uint64_t done = 0; into != NULL && done < bytes;) {
    ssize_t got = pread(fd, into + done, bytes - done, (off_t)(offset + done));
    if (got <= 0) return NULL;
    done += (uint64_t)got;
  }
  return into;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: dump FILE [stacks]\n"), 2;
  int fd = open(argv[1], O_RDONLY);
  if (fd < 0) return perror(argv[1]), 2;
  header = read_at(fd, 0, LAYOUT_PAGE);
  if (header == NULL || memcmp(header->magic, LAYOUT_MAGIC, 8) != 0) return fprintf(stderr, "%s: not an agent's file\n", argv[1]), 2;
  for (int i = 0; i < SECTION_COUNT; i++) {
    sections[i] = read_at(fd, header->sections[i].offset, (uint64_t)count(i) * header->sections[i].row_bytes);
    if (sections[i] == NULL) return fprintf(stderr, "%s: section %d cannot be read\n", argv[1], i), 2;
  }
  print_header();
  print_sums("native", KIND_NATIVE_HEAP);
  print_sums("mapped", KIND_MAPPED);
  print_tables();
  print_stacks(argc > 2 ? (uint32_t)atoi(argv[2]) : 0);
  return 0;
}
