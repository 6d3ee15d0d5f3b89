// Story 2's library: three functions that allocate and never release. Nothing is written to the memory, so it is
// requested but not resident.
#include <cstdio>
#include <cstdlib>

namespace {

// A compiler may delete a malloc whose result nobody uses: everybody could look here.
void *volatile s_sink;

// Lines are printed at once and through memory of our own, so that the leaks are all that these functions allocate.
char s_output[1024];
[[gnu::constructor]] void set_output() { setvbuf(stdout, s_output, _IOLBF, sizeof s_output); }

}  // namespace

extern "C" {

void HeapMalloc1(int bytes) {
  s_sink = malloc(bytes);
  printf("HeapMalloc1: %d bytes\n", bytes);
}

void HeapMalloc2(int bytes) {
  s_sink = malloc(bytes);
  printf("HeapMalloc2: %d bytes\n", bytes);
}

void HeapMalloc3(int bytes) {
  s_sink = malloc(bytes);
  printf("HeapMalloc3: %d bytes\n", bytes);
}

}
