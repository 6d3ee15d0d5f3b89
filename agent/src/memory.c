#include "memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "arch.h"
#include "sandbox.h"

#define LEAST_POPULATED ((size_t)64 << 10)
#define HUGE_PAGE ((size_t)2 << 20)

void *memory_map(size_t bytes, enum memory_in_child in_child) {
  long at = SYSTEM_CALL6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) return NULL;
  if (in_child != MEMORY_KEPT) SYSTEM_CALL3(SYS_madvise, at, bytes, in_child == MEMORY_GONE ? MADV_DONTFORK : MADV_WIPEONFORK);
  return (void *)at;
}

void *memory_map_table(size_t bytes) {
  void *at = memory_map(bytes, MEMORY_GONE);
  if (at == NULL || bytes < LEAST_POPULATED) return at;
  if (bytes >= HUGE_PAGE) SYSTEM_CALL3(SYS_madvise, at, bytes, MADV_HUGEPAGE);
  SYSTEM_CALL3(SYS_madvise, at, bytes, MADV_POPULATE_WRITE);
  return at;
}

void memory_unmap(void *at, size_t bytes) {
  if (at != NULL) SYSTEM_CALL3(SYS_munmap, at, bytes, 0);
}

/* The kernel refuses locked pages (mlockall). */
void memory_clear(void *at, size_t bytes) {
  if (SYSTEM_CALL3(SYS_madvise, at, bytes, MADV_DONTNEED) < 0) memset(at, 0, bytes);
}

/* linux/fs.h of kernel 6.11: asks for the one mapping at an address. */
struct procmap_query {
  uint64_t size, query_flags, query_addr;
  uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
  uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
  uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#include <sys/ioctl.h>

static uint64_t parse_hex(const char **text) {
  uint64_t value = 0;
  for (;; (*text)++) {
    char c = **text;
    if (c >= '0' && c <= '9') value = value << 4 | (uint64_t)(c - '0');
    else if (c >= 'a' && c <= 'f') value = value << 4 | (uint64_t)(c - 'a' + 10);
    else return value;
  }
}

/* Lines are "start-end perms …\n"; a line may straddle two reads. */
static void find_in_text(long fd, uint64_t address, uint64_t *start, uint64_t *end) {
  char buffer[4096];
  size_t kept = 0;
  long got;
  while ((got = SYSTEM_CALL3(SYS_read, fd, buffer + kept, sizeof buffer - 1 - kept)) > 0) {
    size_t length = kept + (size_t)got;
    buffer[length] = 0;
    char *line = buffer;
    for (char *newline; (newline = memchr(line, '\n', length - (size_t)(line - buffer))) != NULL; line = newline + 1) {
      const char *at = line;
      uint64_t low = parse_hex(&at);
      at++;
      uint64_t high = parse_hex(&at);
      if (address >= low && address < high) {
        *start = low;
        *end = high;
        return;
      }
    }
    kept = length - (size_t)(line - buffer);
    if (kept == sizeof buffer - 1) kept = 0; /* a path longer than any: skip its middle */
    memmove(buffer, line, kept);
  }
}

void memory_find(uint64_t address, uint64_t *start, uint64_t *end) {
  *start = *end = 0;
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  struct procmap_query query = {.size = sizeof query, .query_addr = address};
  if (SYSTEM_CALL3(SYS_ioctl, fd, PROCMAP_QUERY, &query) == 0) {
    *start = query.vma_start;
    *end = query.vma_end;
  } else {
    find_in_text(fd, address, start, end);
  }
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_ns(void) { return clock_ns(sandbox_clock_is_coarse() ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC); }
uint64_t monotonic_coarse_ns(void) { return clock_ns(CLOCK_MONOTONIC_COARSE); }
