/*
 * The true hooks, records and block table under every order in which threads can run: `interleave [SCENARIO]`.
 *
 * Threads are coroutines that can only change at a point: before a lock of the agent is taken, and where the allocator
 * gives or takes a block. It gives first what was freed last, whoever freed it. All orders of
 * each scenario are run (depth first: each run follows the one before up to its last choice that has another way), and
 * after each the agent must know of exactly what the allocator knows.
 */
#define MEMSURGE_TLS_KEY
#define malloc hook_malloc
#define calloc hook_calloc
#define realloc hook_realloc
#define reallocarray hook_reallocarray
#define free hook_free
#define posix_memalign hook_posix_memalign
#define aligned_alloc hook_aligned_alloc
#define memalign hook_memalign
#define valloc hook_valloc
#define pvalloc hook_pvalloc

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void change(void);
/* Of the scenarios of live.h threads change in there, and nowhere else. */
static bool is_of_live;
static void point(void) {
  if (!is_of_live) change();
}
#define LIVE_POINT() (is_of_live ? change() : (void)0)
#define LAYOUT_ROOMS 2

/* In place of lock.h: what is inside a lock is one step, but for that of live.h. */
#define MEMSURGE_LOCK_H
struct lock {
  bool taken;
};
static inline bool is_single_threaded(void) { return false; }
static void before_lock(struct lock *);
static inline void lock_enter(struct lock *lock) {
  before_lock(lock);
  lock->taken = true;
}
static inline void lock_leave(struct lock *lock) { lock->taken = false; }

#include "../src/blocks.c"
#include "../src/hooks.c"
#include "../src/live.c"
#include "../src/record.c"
#include "../src/samples.c"

/* The allocator: slots of one size, the one freed last is given first. Addresses are real memory. */
#define SLOTS 8
#define SLOT_BYTES 64
static char heap[SLOTS][SLOT_BYTES] __attribute__((aligned(64)));
static int free_slots[SLOTS], free_count;
/* The stack (here: the place in the scenario) and size of what lives in a slot as its owner knows it. */
static struct owned {
  uint32_t place;
  size_t size;
} owned[SLOTS];

#define THREADS 3
#define PLACES 8
static struct coroutine {
  /* Where it begins, and where it stopped last. */
  jmp_buf start, stopped;
  struct thread thread;
  bool ended;
  /** The place of the allocation under way: stacks_here's answer. */
  uint32_t place;
  bool (*waits_for)(void);
  struct lock *waits_for_lock;
  char stack[64 << 10];
} coroutines[THREADS];
static int running = -1;
static jmp_buf scheduler;

static void change(void) {
  if (running < 0) return;
  struct coroutine *self = &coroutines[running];
  if (_setjmp(self->stopped) == 0) _longjmp(scheduler, 1);
}

/* That of live.h may be held while threads change. */
static void before_lock(struct lock *lock) {
  if (lock == &live.lock) LIVE_POINT();
  else point();
  if (running < 0) return;
  coroutines[running].waits_for_lock = lock;
  while (lock->taken) change();
  coroutines[running].waits_for_lock = NULL;
}

struct thread *thread_self(void) { return running < 0 ? NULL : &coroutines[running].thread; }
struct thread *thread_enter_slowly(struct thread *thread) {
  (void)thread;
  abort(); /* no thread is new, and no signal comes */
}
uint32_t stacks_here(struct thread *thread, enum layout_kind kind, const struct unwind_registers *registers) {
  (void)thread, (void)kind, (void)registers;
  return coroutines[running].place;
}

/* The file, in plain memory. */
static struct layout_header header;
static struct layout_counters counters[PLACES];
static struct layout_sample samples[64];
static struct layout_block table[1 << 14];
static uint8_t dirty[8];
struct store store;
struct gate gate;
static uint32_t table_used, samples_used;
uint32_t store_extend(enum layout_section section, uint32_t count) {
  if (section != SECTION_BLOCKS || table_used + count > sizeof table / sizeof *table) abort();
  table_used += count;
  return table_used - count;
}
uint32_t store_append(enum layout_section section, const void *row) {
  if (section != SECTION_SAMPLES || samples_used == 64) abort();
  samples[samples_used] = *(const struct layout_sample *)row;
  return samples_used++;
}
void store_discard(void *start, size_t bytes) { memset(start, 0, bytes); }
static uint64_t now;
uint64_t monotonic_ns(void) { return ++now; }
uint64_t monotonic_coarse_ns(void) { return now; }
static uint8_t filter_memory[FILTER_BYTES];
void *memory_map(size_t bytes, enum memory_in_child in_child) { return (void)bytes, (void)in_child, filter_memory; }
/* Clearing all of it would take longer than the run: only these places can be touched. */
static uint8_t *filter_of(int slot) { return &filter_memory[filter_place(address_hash((uint64_t)heap[slot]))]; }
void memory_clear(void *at, size_t bytes) {
  (void)at, (void)bytes;
  for (int i = 0; i < SLOTS; i++) *filter_of(i) = 0;
}
void agent_stop_requested(void) { abort(); }
void *dlsym_thunk(void *handle, const char *name) { return (void)handle, (void)name, NULL; }
long syscall_thunk(long number, ...) { return (void)number, -1; }
long (*real_syscall)(long, ...) = syscall_thunk;
void *(*real_dlsym)(void *, const char *);
char bootstrap_memory[BOOTSTRAP_BYTES];

static int slot_of(const void *block) { return (int)(((const char *)block - heap[0]) / SLOT_BYTES); }

static void *allocator_gives(size_t size) {
  point();
  if (free_count == 0 || size > SLOT_BYTES) return NULL;
  return heap[free_slots[--free_count]];
}
static void allocator_takes(void *block) {
  point();
  if (block != NULL) free_slots[free_count++] = slot_of(block);
}
/* Moves always: the old address is free for everybody before the call returns. */
static void *allocator_moves(void *old, size_t size) {
  void *block = allocator_gives(size);
  if (block != NULL) allocator_takes(old);
  return block;
}
/* An allocator whose calloc is made of its malloc, and whose reallocarray of malloc and free, each through the hooks. */
static void *calloc_by_malloc(size_t count, size_t size) { return malloc(count * size); }
static void *move_by_malloc_and_free(void *old, size_t count, size_t size) {
  void *block = malloc(count * size);
  if (block != NULL) free(old);
  return block;
}
struct real real = {.malloc = allocator_gives,
                    .calloc = calloc_by_malloc,
                    .realloc = allocator_moves,
                    .reallocarray = move_by_malloc_and_free,
                    .free = allocator_takes};

/* What the scenario's threads share. */
static void *shared[3];

/*
 * What lives, with calls under way counted for the allocation but not yet for the release, and the other way around: the
 * highest that any order of the calls could have had, and the one that each must have had.
 */
static struct bound {
  uint64_t live, highest;
} possible, certain;
static void grows(struct bound *bound, uint64_t bytes) {
  bound->live += bytes;
  if (bound->live > bound->highest) bound->highest = bound->live;
}

static void *owned_now(void *block, uint32_t place, size_t size) {
  if (block != NULL) owned[slot_of(block)] = (struct owned){place, size};
  return block;
}
static struct owned let_go(void *block) {
  struct owned before = owned[slot_of(block)];
  owned[slot_of(block)] = (struct owned){0, 0};
  return before;
}
static void at(uint32_t place) { coroutines[running].place = place; }
static void *settled(void *block, uint32_t place, size_t size) {
  if (block == NULL) possible.live -= size;
  else grows(&certain, size);
  return owned_now(block, place, size);
}
static void *got(uint32_t place, size_t size) {
  at(place);
  grows(&possible, size);
  return settled(malloc(size), place, size);
}
static void *got_cleared(uint32_t place, size_t size) {
  at(place);
  grows(&possible, size);
  return settled(calloc(1, size), place, size);
}
static void give(void *block) {
  size_t size = block == NULL ? 0 : let_go(block).size;
  certain.live -= size;
  free(block);
  possible.live -= size;
}
static void *moved(void *old, uint32_t place, size_t size, void *(*way)(void *, size_t)) {
  at(place);
  struct owned before = let_go(old);
  grows(&possible, size);
  certain.live -= before.size;
  void *block = way(old, size);
  possible.live -= block == NULL ? size : before.size;
  grows(&certain, block == NULL ? before.size : size);
  return block == NULL ? (owned[slot_of(old)] = before, old) : owned_now(block, place, size);
}
static void *by_array(void *old, size_t size) { return reallocarray(old, 1, size); }
static void until(bool (*there)(void)) {
  coroutines[running].waits_for = there;
  while (!there()) change();
  coroutines[running].waits_for = NULL;
}
static bool first_there(void) { return shared[0] != NULL; }
static bool first_gone(void) { return shared[0] == NULL; }

/* A block is freed by another thread; the next one gets its address. */
static void hand_over_a(void) {
  shared[0] = got(1, 10);
  until(first_gone);
  got(2, 20);
}
static void hand_over_b(void) {
  until(first_there);
  give(shared[0]);
  shared[0] = NULL;
}
/* The same while the receiver takes and gives, too. */
static void cross_a(void) {
  shared[0] = got(1, 10);
  give(got(2, 20));
  got(3, 30);
}
static void cross_b(void) {
  until(first_there);
  give(shared[0]);
  got_cleared(4, 40);
}
static void move_a(void) {
  void *block = got(1, 10);
  block = moved(block, 2, 20, realloc);
  give(block);
}
static void move_b(void) {
  void *block = got(3, 30);
  give(block);
  got(4, 40);
}
/* One that cannot be had: the block stays what it is. */
static void fail_a(void) {
  void *block = got(1, 10);
  block = moved(block, 2, SLOT_BYTES + 1, realloc);
  shared[0] = block;
}
static void nested_a(void) {
  void *block = got_cleared(1, 10);
  block = moved(block, 2, 20, by_array);
  shared[0] = block;
}
static void three_a(void) { shared[0] = got(1, 10); }
static void three_c(void) { give(got(5, 50)); }
static void both(void) { give(got(1 + (uint32_t)running, 10)); got(3 + (uint32_t)running, 0); }

/* Threads that are apart, at a highest of 40 bytes of which the pot has 10, and the rooms 20 and 10. */
#define HIGHEST 40
static void apart_a(void) {
  give(got(1, 30));
  got(2, 20);
}
static void apart_b(void) { give(got(3, 25)); }
static void handed_a(void) {
  shared[0] = got(1, 30);
  until(first_gone);
  got(2, 30);
}
static void kept_b(void) { got(5 + (uint32_t)running, 15); }
static void grown_b(void) {
  got(3, 25);
  got(4, 5);
}

/* Those of live.h have names that begin so. */
#define OF_LIVE "apart"

static const struct scenario {
  const char *name;
  void (*threads[THREADS])(void);
} scenarios[] = {
    {"hand over", {hand_over_a, hand_over_b}}, {"cross", {cross_a, cross_b}},   {"move", {move_a, move_b}},
    {"fail", {fail_a, move_b}},                {"nested", {nested_a, move_b}}, {"nested hand over", {nested_a, cross_b, three_c}},
    {"three", {three_a, cross_b, three_c}},    {"both", {both, both}},
    {"apart", {apart_a, apart_b}},
    {"apart, handed over", {handed_a, hand_over_b, kept_b}},
    {"apart, three", {three_a, kept_b, kept_b}},
    {"apart, grown", {grown_b, apart_b}},
};

/* The order of a run: which of the threads that could go on went on, at each point. */
#define MOST_POINTS 256
static struct {
  uint8_t chosen, of;
} order[MOST_POINTS];
static int order_length;

static void (*to_run[THREADS])(void);
static ucontext_t creator;
/* Never returns, so that every run can begin here again. */
static void trampoline(int which) {
  if (_setjmp(coroutines[which].start) == 0) setcontext(&creator);
  to_run[running]();
  coroutines[running].ended = true;
  _longjmp(scheduler, 1);
}
/* Contexts are for making stacks alone: to change between them costs two system calls each time. */
static void make_coroutines(void) {
  static ucontext_t contexts[THREADS];
  for (int i = 0; i < THREADS; i++) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack = (stack_t){.ss_sp = coroutines[i].stack, .ss_size = sizeof coroutines[i].stack};
    makecontext(&contexts[i], (void (*)(void))trampoline, 1, i);
    swapcontext(&creator, &contexts[i]);
  }
}
static void start_thread(int which, void (*run)(void)) {
  struct coroutine *coroutine = &coroutines[which];
  to_run[which] = run;
  coroutine->ended = run == NULL;
  coroutine->waits_for = NULL;
  coroutine->waits_for_lock = NULL;
  memset(&coroutine->thread, 0, offsetof(struct thread, walker));
  coroutine->thread.state = THREAD_IDLE;
  coroutine->thread.serial = (uint32_t)which;
  coroutine->thread.recording = gate.recording;
  coroutine->thread.random = (uint64_t)which * 77;
  if (run == NULL) return;
  running = which;
  samples_draw(&coroutine->thread);
  running = -1;
  memcpy(&coroutine->stopped, &coroutine->start, sizeof coroutine->start);
}

static void start_run(const struct scenario *scenario, uint32_t mode) {
  memset(&header, 0, sizeof header);
  memset(counters, 0, sizeof counters);
  memset(table, 0, table_used * sizeof *table);
  memset(owned, 0, sizeof owned);
  memset(shared, 0, sizeof shared);
  table_used = samples_used = 0;
  header.peak_epoch = 1;
  header.mean_bytes = 15;
  store.header = &header;
  store.sections[SECTION_COUNTERS] = (uint8_t *)counters;
  store.sections[SECTION_SAMPLES] = (uint8_t *)samples;
  store.sections[SECTION_BLOCKS] = (uint8_t *)table;
  store.sections[SECTION_DIRTY] = dirty;
  gate.mode = mode;
  gate.phase = GATE_RECORDING;
  gate.recording = 1;
  gate.filter = NULL;
  if (mode == MODE_SAMPLED) samples_start();
  live_start();
  certain = possible = (struct bound){0};
  is_of_live = strncmp(scenario->name, OF_LIVE, strlen(OF_LIVE)) == 0;
  if (is_of_live) {
    live.phase = LIVE_APART;
    header.peak_bytes = certain.highest = possible.highest = HIGHEST;
    header.gaps[0].bytes = 10;
    header.gaps[1].bytes = 20;
    header.gaps[2].bytes = 10;
  }
  blocks_start();
  for (free_count = 0; free_count < SLOTS; free_count++) free_slots[free_count] = SLOTS - 1 - free_count;
  for (int i = 0; i < THREADS; i++) start_thread(i, scenario->threads[i]);
}

static bool can_run(const struct coroutine *coroutine) {
  if (coroutine->waits_for_lock != NULL && coroutine->waits_for_lock->taken) return false;
  return !coroutine->ended && (coroutine->waits_for == NULL || coroutine->waits_for());
}

/* Until its next point, or its end. */
static void resume(void) {
  if (_setjmp(scheduler) == 0) _longjmp(coroutines[running].stopped, 1);
}

/* Runs to the end, in the order that `order` begins with. */
static void run(void) {
  for (int step = 0;; step++) {
    int able[THREADS], count = 0;
    for (int i = 0; i < THREADS; i++) {
      if (can_run(&coroutines[i])) able[count++] = i;
    }
    if (count == 0) break;
    if (step == MOST_POINTS) abort();
    if (step == order_length) {
      order[step].chosen = 0;
      order_length++;
    }
    order[step].of = (uint8_t)count;
    running = able[order[step].chosen];
    resume();
    running = -1;
  }
}

/* The last choice that has another way takes it; false: there is none left. */
static bool next_order(void) {
  while (order_length > 0 && order[order_length - 1].chosen + 1 == order[order_length - 1].of) order_length--;
  if (order_length == 0) return false;
  order[order_length - 1].chosen++;
  return true;
}

static int wrong(const char *what, const struct scenario *scenario, uint32_t mode, uint64_t is, uint64_t should) {
  printf("%s, %s: %s is %llu, not %llu, in the order", scenario->name, mode == MODE_EXACT ? "exact" : "sampled", what,
         (unsigned long long)is, (unsigned long long)should);
  for (int i = 0; i < order_length; i++) printf(" %d/%d", order[i].chosen, order[i].of);
  printf("\n");
  return 1;
}

static int check_exact(const struct scenario *scenario) {
  uint64_t bytes[PLACES] = {0}, count[PLACES] = {0}, live = 0;
  for (int i = 0; i < SLOTS; i++) {
    if (owned[i].place == 0) continue;
    bytes[owned[i].place] += owned[i].size;
    count[owned[i].place]++;
    live += owned[i].size;
  }
  for (uint32_t place = 1; place < PLACES; place++) {
    if (counters_live(&counters[place]) != bytes[place]) return wrong("live bytes", scenario, MODE_EXACT, counters_live(&counters[place]), bytes[place]);
    if (counters_live_count(&counters[place]) != count[place]) return wrong("live blocks", scenario, MODE_EXACT, counters_live_count(&counters[place]), count[place]);
  }
  uint64_t sum = header.peak_bytes;
  for (int i = 0; i <= LAYOUT_ROOMS; i++) sum -= header.gaps[i].bytes;
  if (sum != live) return wrong("the sum", scenario, MODE_EXACT, sum, live);
  if (header.peak_bytes < certain.highest) return wrong("the peak", scenario, MODE_EXACT, header.peak_bytes, certain.highest);
  if (header.peak_bytes > possible.highest) return wrong("the peak", scenario, MODE_EXACT, header.peak_bytes, possible.highest);
  if (header.losses.unknown_freed_count != 0) return wrong("unknown freed", scenario, MODE_EXACT, header.losses.unknown_freed_count, 0);
  return 0;
}

/* The table is what lives: all of it, or (sampled) what of it was sampled, and the filter counts that. */
static int check(const struct scenario *scenario, uint32_t mode) {
  uint64_t blocks = 0, living = 0, live_samples = 0, filtered = 0;
  for (int i = 0; i < SLOTS; i++) living += owned[i].place != 0;
  for (uint32_t i = 0; i < table_used; i++) {
    if (table[i].address == 0) continue;
    const struct owned *owner = &owned[slot_of((void *)table[i].address)];
    if (owner->place != table[i].stack || owner->size != table[i].size) return wrong("a block's place", scenario, mode, table[i].stack, owner->place);
    blocks++;
  }
  if (header.losses.missed_free_count != 0) return wrong("missed frees", scenario, mode, header.losses.missed_free_count, 0);
  if (mode == MODE_EXACT) return blocks != living ? wrong("blocks", scenario, mode, blocks, living) : check_exact(scenario);
  for (uint32_t i = 0; i < samples_used; i++) live_samples += samples[i].released_time == 0;
  for (int i = 0; i < SLOTS; i++) filtered += *filter_of(i);
  if (blocks != live_samples) return wrong("live samples", scenario, mode, live_samples, blocks);
  return filtered != blocks ? wrong("the filter's sum", scenario, mode, filtered, blocks) : 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  make_coroutines();
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    const struct scenario *scenario = &scenarios[i];
    if (argc > 1 && strcmp(argv[1], scenario->name) != 0) continue;
    for (uint32_t mode = MODE_SAMPLED; mode <= MODE_EXACT; mode++) {
      unsigned long orders = 0;
      order_length = 0;
      do {
        start_run(scenario, mode);
        run();
        orders++;
        if (check(scenario, mode) != 0) return 1;
      } while (next_order());
      printf("%s, %s: %lu orders\n", scenario->name, mode == MODE_EXACT ? "exact" : "sampled", orders);
    }
  }
  return 0;
}
