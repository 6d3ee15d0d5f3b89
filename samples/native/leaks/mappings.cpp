#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

#include "sites.h"

static constexpr size_t MIB = 1 << 20;

static char *map(void *at, size_t bytes, int flags) {
  void *start = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (start == MAP_FAILED) abort();
  return static_cast<char *>(start);
}

/** 16 MiB, of which 4 in the middle and the last one are unmapped. */
SITE void map_partly_unmapped() {
  char *start = map(nullptr, 16 * MIB, 0);
  munmap(start + 6 * MIB, 4 * MIB);
  munmap(start + 15 * MIB, MIB);
}

/** 1 MiB that grows to 4. */
SITE void map_then_grow() {
  char *start = map(nullptr, MIB, 0);
  s_sink = mremap(start, MIB, 4 * MIB, MREMAP_MAYMOVE);
}

/** 2 MiB that take the place of older ones. */
SITE static void map_over(char *start) { s_sink = map(start, 2 * MIB, MAP_FIXED); }

/** 8 MiB, of which 2 are lost to map_over. */
SITE void map_below() {
  char *start = map(nullptr, 8 * MIB, 0);
  map_over(start + 3 * MIB);
}

/** 256 KiB by moving the program break, as an allocator of its own would. */
SITE void break_growth() { s_sink = sbrk(256 * 1024); }
