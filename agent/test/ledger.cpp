/*
 * A random program that keeps its own books and compares them with the agent's file: `ledger SEED THREADS OPERATIONS`.
 * Threads take blocks by every function there is, from slots that all of them share, and give back each other's. Prints
 * nothing and exits with 0 when all is equal; else a line per difference and 1.
 *
 * Two ways, by the seed: free, where only a slot is locked, with short threads and forks in between (bytes, counts,
 * temporaries and live blocks are compared); and ordered, where every step is under one lock, so that there is one true
 * peak (compared with what of it each function held).
 */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>

#define _Atomic
#define _Static_assert static_assert
#define atomic_load(x) (*(x))
#define __STDC_NO_ATOMICS__ 1
#include "layout.h"

/* Each way to allocate is a function in a section of its own: the section's bounds tell it from a program counter. */
#define KEEP(block) asm volatile("" : : "r"(block) : "memory")
#define WAYS(X)                                                                                                        \
  X(by_malloc) X(by_calloc) X(by_realloc) X(by_reallocarray) X(by_posix_memalign) X(by_aligned_alloc) X(by_memalign)   \
  X(by_valloc) X(by_pvalloc) X(by_strdup) X(by_new) X(by_new_array) X(by_new_nothrow) X(by_new_aligned)
#define WAY(name) extern "C" __attribute__((noinline, noclone, section("in_" #name))) void *name(void *old, size_t size)

static char text[1 << 18]; /* all 'x': strdup's of any length end at its end */

WAY(by_malloc) { (void)old; void *block = malloc(size); KEEP(block); return block; }
WAY(by_calloc) { (void)old; void *block = calloc(1, size); KEEP(block); return block; }
WAY(by_realloc) { void *block = realloc(old, size); KEEP(block); return block; }
WAY(by_reallocarray) { void *block = reallocarray(old, size, 1); KEEP(block); return block; }
WAY(by_posix_memalign) { (void)old; void *block = NULL; if (posix_memalign(&block, 256, size) != 0) abort(); KEEP(block); return block; }
WAY(by_aligned_alloc) { (void)old; void *block = aligned_alloc(64, size); KEEP(block); return block; }
WAY(by_memalign) { (void)old; void *block = memalign(1024, size); KEEP(block); return block; }
WAY(by_valloc) { (void)old; void *block = valloc(size); KEEP(block); return block; }
WAY(by_pvalloc) { (void)old; void *block = pvalloc(size); KEEP(block); return block; }
WAY(by_strdup) { (void)old; void *block = strdup(text + sizeof text - (size > 0 ? size : 1)); KEEP(block); return block; }
WAY(by_new) { (void)old; void *block = ::operator new(size); KEEP(block); return block; }
WAY(by_new_array) { (void)old; void *block = ::operator new[](size); KEEP(block); return block; }
WAY(by_new_nothrow) { (void)old; void *block = ::operator new(size, std::nothrow); KEEP(block); return block; }
WAY(by_new_aligned) { (void)old; void *block = ::operator new(size, std::align_val_t(128)); KEEP(block); return block; }

#define X(name) extern "C" const char __start_in_##name[], __stop_in_##name[];
WAYS(X)
#undef X
static const struct way {
  const char *name;
  void *(*take)(void *, size_t);
  const char *start, *stop;
} ways[] = {
#define X(name) {#name, name, __start_in_##name, __stop_in_##name},
    WAYS(X)
#undef X
};
enum {
#define X(name) WAY_##name,
  WAYS(X)
#undef X
      WAY_COUNT
};

/* What the book, and the agent's file, say of one way. */
struct sums {
  int64_t allocated_bytes, allocated_count, freed_bytes, freed_count, temporary_count, live_bytes, live_count, peak_bytes, peak_count;
};
struct book {
  struct sums of[WAY_COUNT];
  int64_t live, peak;
};
static struct book book;
static bool ordered;

struct block {
  void *at;
  size_t size;
  int way;
  int thread;
};
#define SLOTS 512
struct slot {
  pthread_mutex_t lock;
  struct block block;
};
static struct slot slots[SLOTS];
static pthread_mutex_t one_step = PTHREAD_MUTEX_INITIALIZER;

/* A thread's own memory of its last event, for temporaries. */
static __thread void *last_taken;
static __thread int self;

static void add(int64_t *sum, int64_t value) { __atomic_fetch_add(sum, value, __ATOMIC_RELAXED); }

static void note_taken(const struct block *block) {
  struct sums *sums = &book.of[block->way];
  add(&sums->allocated_bytes, (int64_t)block->size);
  add(&sums->allocated_count, 1);
  last_taken = block->at;
  if (!ordered) return;
  book.live += (int64_t)block->size;
  sums->live_bytes += (int64_t)block->size;
  sums->live_count++;
  if (book.live <= book.peak) return;
  book.peak = book.live;
  for (struct sums &each : book.of) each.peak_bytes = each.live_bytes, each.peak_count = each.live_count;
}

static void note_freed(const struct block *block) {
  struct sums *sums = &book.of[block->way];
  add(&sums->freed_bytes, (int64_t)block->size);
  add(&sums->freed_count, 1);
  if (last_taken == block->at && block->thread == self) add(&sums->temporary_count, 1);
  last_taken = NULL;
  if (!ordered) return;
  book.live -= (int64_t)block->size;
  sums->live_bytes -= (int64_t)block->size;
  sums->live_count--;
}

static uint64_t next(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* What the thread's caches hold comes back at once; what is larger goes through the arena, to whichever thread asks next. */
static size_t random_size(uint64_t *random) {
  switch (next(random) % 8) {
    case 0: return next(random) % 3; /* none, too */
    case 1: return next(random) % 200000;
    case 2: return 5000;
    case 3: return 1100 + next(random) % 64;
    default: return next(random) % 1000;
  }
}

static void give_back(struct block *block) {
  switch (block->way) {
    case WAY_by_new: ::operator delete(block->at, block->size); break;
    case WAY_by_new_array: ::operator delete[](block->at); break;
    case WAY_by_new_nothrow: ::operator delete(block->at, std::nothrow); break;
    case WAY_by_new_aligned: ::operator delete(block->at, std::align_val_t(128)); break;
    default: free(block->at);
  }
  note_freed(block);
  block->at = NULL;
}

static bool is_of_malloc(int way) { return way < WAY_by_new; }

/* What libstdc++ asks malloc for: something in any case, and whole multiples of the alignment. */
static size_t asked_for(int way, size_t size) {
  if (size == 0 && (way == WAY_by_strdup || !is_of_malloc(way))) size = 1;
  return way == WAY_by_new_aligned ? (size + 127) & ~(size_t)127 : size;
}

static void take(struct block *block, int way, void *old, size_t size) {
  block->at = ways[way].take(old, size);
  if (block->at == NULL) abort();
  block->way = way;
  block->thread = self;
  block->size = asked_for(way, size);
  note_taken(block);
}

/* A chain of moves, sometimes one that must fail, sometimes to nothing. */
static void move(struct block *block, uint64_t *random) {
  volatile size_t huge = (size_t)1 << 60;
  struct block old = *block;
  switch (next(random) % 8) {
    case 0:
      if (realloc(block->at, huge) != NULL || reallocarray(block->at, huge, 32) != NULL) abort();
      /* The failed one took the block away and brought it back: no event. */
      return;
    case 1:
      if (realloc(block->at, 0) != NULL) abort();
      note_freed(&old);
      block->at = NULL;
      return;
    default: {
      int way = next(random) % 2 ? WAY_by_realloc : WAY_by_reallocarray;
      size_t size = 1 + random_size(random);
      block->at = ways[way].take(old.at, size);
      if (block->at == NULL) abort();
      note_freed(&old);
      block->way = way, block->thread = self, block->size = size;
      note_taken(block);
    }
  }
}

static void step(struct block *block, uint64_t *random) {
  unsigned what = next(random) % 16;
  if (block->at == NULL) take(block, (int)(next(random) % WAY_COUNT), NULL, random_size(random));
  else if (what < 5 && is_of_malloc(block->way)) move(block, random);
  else if (what < 14) give_back(block);
}

static void locked_step(uint64_t *random) {
  struct slot *slot = &slots[next(random) % SLOTS];
  pthread_mutex_t *lock = ordered ? &one_step : &slot->lock;
  pthread_mutex_lock(lock);
  step(&slot->block, random);
  pthread_mutex_unlock(lock);
}

static int differences;
static void differs(const char *what, const char *name, int64_t is, int64_t should) {
  if (is == should) return;
  char line[256];
  int length = snprintf(line, sizeof line, "%s of %s: the agent says %lld, the book %lld\n", what, name, (long long)is, (long long)should);
  if (write(1, line, (size_t)length) < 0) _exit(3);
  differences++;
}

/* The agent's file of this process image: the newest of its pid. By read: the mapping is the agent's. */
static int open_own_file(void) {
  const char *folder = strrchr(getenv("MEMSURGE_AGENT"), ',') + 1;
  char prefix[32], newest[300] = "", path[512];
  snprintf(prefix, sizeof prefix, "%d-", getpid());
  DIR *listing = opendir(folder);
  for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
    bool own = strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    if (own && strcmp(entry->d_name, newest) > 0) snprintf(newest, sizeof newest, "%s", entry->d_name);
  }
  closedir(listing);
  snprintf(path, sizeof path, "%s/%s", folder, newest);
  return open(path, O_RDONLY);
}

static struct layout_header header;
static void *section(int fd, int index) {
  const struct layout_range *range = &header.sections[index];
  size_t bytes = (size_t)range->rows * range->row_bytes;
  char *rows = (char *)malloc(bytes + 1);
  for (size_t done = 0; done < bytes;) {
    ssize_t got = pread(fd, rows + done, bytes - done, (off_t)(range->offset + done));
    if (got <= 0) abort();
    done += (size_t)got;
  }
  return rows;
}

/* The innermost frame that is one of the ways; -1: none, so it is the C library's or the book's own. */
static int way_of(const struct layout_stack *stack, const struct layout_node *nodes, const struct layout_pc *pcs) {
  for (uint32_t node = stack->node; node != 0 && nodes[node].parent != 0; node = nodes[node].parent) {
    const char *pc = (const char *)pcs[nodes[node].pc].pc;
    for (int way = 0; way < WAY_COUNT; way++) {
      if (pc > ways[way].start && pc <= ways[way].stop) return way;
    }
  }
  return -1;
}

static int by_address(const void *a, const void *b) {
  const void *left = ((const struct block *)a)->at, *right = ((const struct block *)b)->at;
  return left < right ? -1 : left > right;
}

/* Every block of the table is one that lives, of its size and way; `exact`: and no other lives. */
static void compare_blocks(const struct layout_block *table, uint32_t rows, const int *way_of_stack, uint32_t stacks, bool exact) {
  static struct block live[SLOTS];
  size_t count = 0;
  for (struct slot &slot : slots) {
    if (slot.block.at != NULL) live[count++] = slot.block;
  }
  qsort(live, count, sizeof *live, by_address);
  size_t found = 0;
  for (uint32_t i = 0; i < rows; i++) {
    /* Newer stacks than were counted are the comparison's own. */
    if (table[i].address == 0 || table[i].stack >= stacks || way_of_stack[table[i].stack] < 0) continue;
    struct block wanted = {(void *)table[i].address, 0, 0, 0};
    const struct block *block = (const struct block *)bsearch(&wanted, live, count, sizeof *live, by_address);
    const char *name = ways[way_of_stack[table[i].stack]].name;
    differs("a block in the table that does not live", name, block == NULL, 0);
    if (block == NULL) continue;
    differs("size of a block", name, (int64_t)table[i].size, (int64_t)block->size);
    differs("way of a block", name, way_of_stack[table[i].stack], block->way);
    found++;
  }
  if (exact) differs("live blocks", "the table", (int64_t)found, (int64_t)count);
}

static void compare_sums(const struct sums *is, bool with_peak) {
  for (int way = 0; way < WAY_COUNT; way++) {
    const struct sums *should = &book.of[way];
    const char *name = ways[way].name;
    differs("allocated bytes", name, is[way].allocated_bytes, should->allocated_bytes);
    differs("allocated blocks", name, is[way].allocated_count, should->allocated_count);
    differs("freed bytes", name, is[way].freed_bytes, should->freed_bytes);
    differs("freed blocks", name, is[way].freed_count, should->freed_count);
    differs("temporary blocks", name, is[way].temporary_count, should->temporary_count);
    if (!with_peak) continue;
    differs("bytes at the peak", name, is[way].peak_bytes, should->peak_bytes);
    differs("blocks at the peak", name, is[way].peak_count, should->peak_count);
  }
}

/* All other threads have ended, or wait. */
static int compare(bool forked) {
  int fd = open_own_file();
  if (fd < 0 || pread(fd, &header, sizeof header, 0) != sizeof header) return perror("the agent's file"), 2;
  struct book copy = book;
  const struct layout_stack *stacks = (const struct layout_stack *)section(fd, SECTION_STACKS);
  const struct layout_counters *counters = (const struct layout_counters *)section(fd, SECTION_COUNTERS);
  const struct layout_node *nodes = (const struct layout_node *)section(fd, SECTION_NODES);
  const struct layout_pc *pcs = (const struct layout_pc *)section(fd, SECTION_PCS);
  const struct layout_block *table = (const struct layout_block *)section(fd, SECTION_BLOCKS);
  uint32_t stack_count = header.sections[SECTION_STACKS].rows;
  int *way_of_stack = (int *)malloc(stack_count * sizeof *way_of_stack);
  struct sums is[WAY_COUNT] = {};
  for (uint32_t i = 0; i < stack_count; i++) {
    way_of_stack[i] = i == 0 ? -1 : way_of(&stacks[i], nodes, pcs);
    if (way_of_stack[i] < 0 || (stacks[i].flags & 0xff) != KIND_NATIVE_HEAP) continue;
    const struct layout_counters *row = &counters[i];
    struct sums *sums = &is[way_of_stack[i]];
    uint32_t live_count = (uint32_t)row->allocated_count - row->own_freed_count - row->foreign_freed_count;
    uint64_t freed_bytes = row->own_freed_bytes + row->foreign_freed_bytes;
    bool changed = row->peak_epoch == header.peak_epoch;
    sums->allocated_bytes += (int64_t)row->allocated_bytes;
    sums->allocated_count += (int64_t)row->allocated_count;
    sums->freed_bytes += (int64_t)freed_bytes;
    sums->freed_count += (int64_t)(row->allocated_count - live_count);
    sums->temporary_count += (int64_t)row->temporary_count;
    sums->peak_bytes += (int64_t)(changed ? row->peak_bytes : row->allocated_bytes - freed_bytes);
    sums->peak_count += changed ? row->peak_count : live_count;
  }
  book = copy;
  bool exact = header.mode == MODE_EXACT;
  compare_blocks(table, header.sections[SECTION_BLOCKS].rows, way_of_stack, stack_count, exact);
  if (exact) compare_sums(is, ordered && !forked);
  differs("blocks found where another lay", "the agent", (int64_t)header.losses.missed_free_count, 0);
  differs("allocations skipped", "the agent", (int64_t)header.losses.skipped_count, 0);
  differs("blocks dropped", "the agent", (int64_t)header.losses.dropped_count, 0);
  if (!forked) differs("unknown blocks freed", "the agent", (int64_t)header.losses.unknown_freed_count, 0);
  return differences > 0;
}

/* A child begins a book of its own; what it frees of its parent's is in none. */
static void fork_and_compare(uint64_t *random) {
  void *inherited = by_malloc(NULL, 100);
  struct block noted = {inherited, 100, WAY_by_malloc, self};
  note_taken(&noted);
  pid_t pid = fork();
  if (pid == 0) {
    free(inherited);
    memset(&book, 0, sizeof book);
    memset(slots, 0, sizeof slots);
    last_taken = NULL;
    for (int i = 0; i < 300; i++) step(&slots[next(random) % SLOTS].block, random);
    _exit(compare(true));
  }
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) differs("status of a child", "fork", status, 0);
  give_back(&noted);
}

static void *brief(void *seed) {
  static int threads = 1000;
  self = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
  uint64_t random = (uint64_t)seed;
  for (int i = 0; i < 5; i++) locked_step(&random);
  return NULL;
}

struct work {
  pthread_t id;
  int number;
  uint64_t seed;
  long operations;
};
static pthread_barrier_t all_there;

static void *work(void *argument) {
  const struct work *work = (const struct work *)argument;
  uint64_t random = work->seed;
  self = work->number;
  free(malloc(1)); /* known to the agent, before there is an order to keep */
  pthread_barrier_wait(&all_there);
  for (long i = 0; i < work->operations; i++) {
    locked_step(&random);
    if (ordered || i % 512 != 511) continue;
    pthread_t id;
    if (pthread_create(&id, NULL, brief, (void *)next(&random)) == 0) pthread_join(id, NULL);
    free(malloc(1)); /* whether or not the C library took something for the thread: what was taken before is no temporary */
    last_taken = NULL;
    if (work->number == 0) fork_and_compare(&random);
  }
  pthread_barrier_wait(&all_there);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 4 || getenv("MEMSURGE_AGENT") == NULL) return fprintf(stderr, "usage, under the agent: ledger SEED THREADS OPERATIONS\n"), 2;
  uint64_t seed = strtoull(argv[1], NULL, 10);
  int count = atoi(argv[2]);
  ordered = seed % 3 == 0;
  memset(text, 'x', sizeof text - 1);
  if (seed % 4 == 0) mallopt(M_ARENA_MAX, 1); /* all threads meet in one arena: addresses go from hand to hand */
  if (seed % 5 == 0) mallopt(M_MMAP_THRESHOLD, 4096);
  for (struct slot &slot : slots) pthread_mutex_init(&slot.lock, NULL);
  static struct work works[64];
  pthread_barrier_init(&all_there, NULL, (unsigned)count);
  for (int i = 0; i < count; i++) {
    works[i] = (struct work){0, i, seed * 1000 + (uint64_t)i, atol(argv[3])};
    if (i > 0 && pthread_create(&works[i].id, NULL, work, &works[i]) != 0) return perror("pthread_create"), 2;
  }
  work(&works[0]);
  for (int i = 1; i < count; i++) pthread_join(works[i].id, NULL);
  return compare(false);
}
