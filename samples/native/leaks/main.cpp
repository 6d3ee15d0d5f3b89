// A program whose allocations are known to the byte, the same in every run.
//   leaks             runs
//   leaks --expect    only prints as JSON what a run allocates, by function and thread
#include <pthread.h>

#include <cstdio>
#include <cstring>

#include "sites.h"

namespace {

struct Phase {
  const char *thread;
  void (*run)();
  /** How many threads do it, one after the other. */
  int times = 1;
};

/** Run one after the other, each on a thread of its own that has ended before the next one starts. */
const Phase PHASES[] = {
    {"steady", steady_leak},
    {"sizes", mixed_sizes},
    {"zeroed", zeroed_blocks},
    {"temporary", temporary_share},
    {"realloc", realloc_chain},
    {"realloc", realloc_in_turns},
    {"realloc", realloc_to_zero},
    {"producer", produce},
    {"consumer", consume},
    {"short-lived", short_lived, 20},
    {"plugins", use_plugins},
    {"catcher", catch_integers},
    {"peak", short_peak},
    {"operators", scalar_new},
    {"operators", array_new},
    {"operators", aligned_new},
    {"aligned", aligned_blocks},
    {"aligned", memalign_blocks},
    {"strings", copy_strings},
    {"vector", vector_growth},
    {"mapper", map_partly_unmapped},
    {"mapper", map_then_grow},
    {"mapper", map_below},
    {"mapper", break_growth},
};

/** Run at the same time at the end. */
const Phase CONCURRENT[] = {
    {"worker-0", concurrent_worker},
    {"worker-1", concurrent_worker},
    {"worker-2", concurrent_worker},
    {"worker-3", concurrent_worker},
};

struct Blocks {
  long count;
  long bytes;
};

struct Heap {
  const char *function;
  const char *thread;
  Blocks allocated;
  Blocks unreleased;
  long temporary_count;
  /** Live at the program's peak: the moment at which short_peak has all of its blocks. */
  Blocks peak;
};

const Heap HEAP[] = {
    {"steady_leak", "steady", {1000, 100'000}, {1000, 100'000}, 0, {1000, 100'000}},
    {"mixed_sizes", "sizes", {180, 1'310'710}, {90, 655'355}, 0, {90, 655'355}},
    {"zeroed_blocks", "zeroed", {20, 6'000}, {15, 4'500}, 0, {15, 4'500}},
    {"temporary_share", "temporary", {700, 30'000}, {0, 0}, 500, {0, 0}},
    {"realloc_chain", "realloc", {70, 20'320}, {10, 10'240}, 60, {10, 10'240}},
    {"realloc_in_turns", "realloc", {10, 3'000}, {2, 1'000}, 0, {2, 1'000}},
    {"realloc_to_zero", "realloc", {2, 110}, {1, 60}, 0, {1, 60}},
    {"produce", "producer", {400, 102'400}, {100, 25'600}, 0, {100, 25'600}},
    {"short_lived", "short-lived", {220, 15'360}, {20, 1'280}, 0, {20, 1'280}},
    {"first_leak", "plugins", {50, 50'000}, {50, 50'000}, 0, {50, 50'000}},
    {"second_leak", "plugins", {50, 50'000}, {50, 50'000}, 0, {50, 50'000}},
    {"throw_integer", "catcher", {200, 18'200}, {0, 0}, 0, {0, 0}},
    {"short_peak", "peak", {64, 67'108'864}, {0, 0}, 0, {64, 67'108'864}},
    {"scalar_new", "operators", {100, 800}, {50, 400}, 0, {0, 0}},
    {"array_new", "operators", {10, 10'000}, {5, 5'000}, 0, {0, 0}},
    {"aligned_new", "operators", {10, 2'560}, {5, 1'280}, 0, {0, 0}},
    {"aligned_blocks", "aligned", {10, 3'100}, {8, 2'500}, 0, {0, 0}},
    {"memalign_blocks", "aligned", {9, 1'800}, {9, 1'800}, 0, {0, 0}},
    {"copy_strings", "strings", {55, 2'600}, {55, 2'600}, 0, {0, 0}},
    {"vector_growth", "vector", {11, 8'188}, {1, 4'096}, 0, {0, 0}},
    {"concurrent_worker", "worker-0", {5000, 649'950}, {50, 6'470}, 0, {0, 0}},
    {"concurrent_worker", "worker-1", {5000, 649'950}, {50, 6'470}, 0, {0, 0}},
    {"concurrent_worker", "worker-2", {5000, 649'950}, {50, 6'470}, 0, {0, 0}},
    {"concurrent_worker", "worker-3", {5000, 649'950}, {50, 6'470}, 0, {0, 0}},
};

/** Bytes that stay mapped at the end. */
struct Mapping {
  const char *function;
  const char *thread;
  long bytes;
};

const Mapping MAPPINGS[] = {
    {"map_partly_unmapped", "mapper", 11 << 20},
    {"map_then_grow", "mapper", 4 << 20},
    {"map_below", "mapper", 6 << 20},
    {"map_over", "mapper", 2 << 20},
    {"break_growth", "mapper", 256 << 10},
};

void print_expected() {
  const char *separator = "{\"heap\": [\n ";
  for (const Heap &row : HEAP) {
    printf("%s{\"function\": \"%s\", \"thread\": \"%s\", \"allocated\": {\"count\": %ld, \"bytes\": %ld}, "
           "\"unreleased\": {\"count\": %ld, \"bytes\": %ld}, \"temporaryCount\": %ld, "
           "\"peak\": {\"count\": %ld, \"bytes\": %ld}}",
           separator, row.function, row.thread, row.allocated.count, row.allocated.bytes, row.unreleased.count,
           row.unreleased.bytes, row.temporary_count, row.peak.count, row.peak.bytes);
    separator = ",\n ";
  }
  separator = "],\n\"mappings\": [\n ";
  for (const Mapping &row : MAPPINGS) {
    printf("%s{\"function\": \"%s\", \"thread\": \"%s\", \"bytes\": %ld}", separator, row.function, row.thread,
           row.bytes);
    separator = ",\n ";
  }
  printf("]}\n");
}

void *run_phase(void *argument) {
  auto phase = static_cast<const Phase *>(argument);
  pthread_setname_np(pthread_self(), phase->thread);
  phase->run();
  return nullptr;
}

pthread_t start(const Phase &phase) {
  pthread_t thread;
  pthread_create(&thread, nullptr, run_phase, const_cast<Phase *>(&phase));
  return thread;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--expect") == 0) {
    print_expected();
    return 0;
  }

  for (const Phase &phase : PHASES)
    for (int i = 0; i < phase.times; i++) pthread_join(start(phase), nullptr);

  pthread_t workers[4];
  for (int i = 0; i < 4; i++) workers[i] = start(CONCURRENT[i]);
  for (pthread_t worker : workers) pthread_join(worker, nullptr);
  return 0;
}
