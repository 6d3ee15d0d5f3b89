// One thread takes a block and another frees it; the next block then gets the same address: `handover COUNT`.
// What `keep` takes is never freed. Prints how often the address was the same.
#include <sched.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

static std::atomic<void *> s_offered{nullptr};
static std::atomic<long> s_taken{0};

// Too large for a thread's cache: what is freed goes back to the arena it came from, for whoever asks next.
static const size_t SIZE = 5000;
static void *volatile s_sink;

extern "C" __attribute__((noipa)) void *give() { return s_sink = malloc(SIZE); }
extern "C" __attribute__((noipa)) void *keep() { return s_sink = malloc(SIZE); }

int main(int argc, char **argv) {
  const long count = argc > 1 ? atol(argv[1]) : 2000;
  std::thread receiver([count] {
    for (long i = 0; i < count; i++) {
      void *block;
      while ((block = s_offered.exchange(nullptr)) == nullptr) sched_yield();
      free(block);
      s_taken++;
    }
  });
  long same = 0;
  for (long i = 0; i < count; i++) {
    void *given = give();
    s_offered = given;
    while (s_taken.load() <= i) sched_yield();
    same += keep() == given;
  }
  receiver.join();
  std::printf("same %ld\n", same);
}
