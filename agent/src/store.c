#include "store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arch.h"
#include "lock.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MIB ((uint64_t)1 << 20)
#define FIRST_CHUNK ((uint64_t)16 << 10)
#define LARGEST_CHUNK MIB
/* A full disk is asked again only once in so many rows: asking costs microseconds. */
#define RETRY_AFTER 4096

/* Address space at most, before it is halved to fit; sums to 18 GiB. */
static const struct {
  uint32_t row_bytes;
  uint64_t capacity;
} plan[SECTION_COUNT] = {
    [SECTION_THREADS] = {sizeof(struct layout_thread), 64 * MIB},
    [SECTION_MODULES] = {sizeof(struct layout_module), 32 * MIB},
    [SECTION_STRINGS] = {1, 64 * MIB},
    [SECTION_PCS] = {sizeof(struct layout_pc), 256 * MIB},
    [SECTION_NODES] = {sizeof(struct layout_node), 1024 * MIB},
    [SECTION_STACKS] = {sizeof(struct layout_stack), 256 * MIB},
    [SECTION_COUNTERS] = {sizeof(struct layout_counters), 2048 * MIB},
    [SECTION_DIRTY] = {1, 1 * MIB},
    [SECTION_BLOCKS] = {sizeof(struct layout_block), 8192 * MIB},
    [SECTION_MAPS] = {sizeof(struct layout_map), 256 * MIB},
    [SECTION_SAMPLES] = {sizeof(struct layout_sample), 6144 * MIB},
};
#define LARGEST_SHIFT 15

struct store store;

struct growth {
  struct lock lock;
  uint32_t retry_in;
  uint64_t reserved;
};
static struct growth growths[SECTION_COUNT];
static uint64_t mapped_bytes;
static char file_path[4096];

static uint64_t capacity_of(int section, int shift) {
  uint64_t bytes = plan[section].capacity >> shift;
  return (bytes + LAYOUT_PAGE - 1) & ~(uint64_t)(LAYOUT_PAGE - 1);
}

static uint64_t total_of(int shift) {
  uint64_t bytes = LAYOUT_PAGE;
  for (int i = 0; i < SECTION_COUNT; i++) bytes += capacity_of(i, shift);
  return bytes;
}

static uint64_t limit_of(int resource) {
  uint64_t limit[2];
  if (SYSTEM_CALL4(SYS_prlimit64, 0, resource, 0, limit) < 0) return UINT64_MAX;
  return limit[0];
}

/* A file above RLIMIT_FSIZE would raise SIGXFSZ; an eighth of RLIMIT_AS leaves the program its own. */
static int shift_within_limits(void) {
  uint64_t file_limit = limit_of(RLIMIT_FSIZE), space_limit = limit_of(RLIMIT_AS) / 8;
  int shift = 0;
  while (shift <= LARGEST_SHIFT && (total_of(shift) > file_limit || total_of(shift) > space_limit)) shift++;
  return shift;
}

static uint8_t *map_file(long fd, int *shift) {
  for (; *shift <= LARGEST_SHIFT; ++*shift) {
    uint64_t bytes = total_of(*shift);
    if (SYSTEM_CALL3(SYS_ftruncate, fd, bytes, 0) < 0) continue;
    long at = SYSTEM_CALL6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (at < 0 && at > -4096) continue;
    SYSTEM_CALL3(SYS_madvise, at, bytes, MADV_DONTFORK);
    SYSTEM_CALL3(SYS_madvise, at, bytes, MADV_DONTDUMP);
    mapped_bytes = bytes;
    return (uint8_t *)at;
  }
  return NULL;
}

/*
 * Space is taken before it is touched: where there is none, a touch would kill the program by SIGBUS.
 * Kernels before 5.14 cannot do it by address; no descriptor is kept (programs close what they do not know), so it is opened anew.
 */
static bool take_space(uint8_t *start, uint64_t bytes) {
  long result = SYSTEM_CALL3(SYS_madvise, start, bytes, MADV_POPULATE_WRITE);
  if (result != -22 /* EINVAL */) return result == 0;
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, file_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return false;
  result = SYSTEM_CALL4(SYS_fallocate, fd, 0, start - (uint8_t *)store.header, bytes);
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  return result == 0;
}

bool store_create(const char *path) {
  memset(growths, 0, sizeof growths);
  strncpy(file_path, path, sizeof file_path - 1);
  int shift = shift_within_limits();
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  uint8_t *base = map_file(fd, &shift);
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  if (base == NULL || !(store.header = (struct layout_header *)base, take_space(base, LAYOUT_PAGE))) {
    if (base != NULL) store_close();
    SYSTEM_CALL3(SYS_unlinkat, AT_FDCWD, path, 0);
    return false;
  }
  uint64_t offset = LAYOUT_PAGE;
  for (int i = 0; i < SECTION_COUNT; i++) {
    struct layout_range *range = &store.header->sections[i];
    range->offset = offset;
    range->capacity_bytes = capacity_of(i, shift);
    range->row_bytes = plan[i].row_bytes;
    store.sections[i] = base + offset;
    offset += range->capacity_bytes;
  }
  return true;
}

void store_close(void) {
  SYSTEM_CALL3(SYS_munmap, store.header, mapped_bytes, 0);
  store.header = NULL;
}

static bool reserve(enum layout_section section, uint64_t bytes) {
  struct growth *growth = &growths[section];
  if (LIKELY(bytes <= growth->reserved)) return true;
  uint64_t capacity = store.header->sections[section].capacity_bytes;
  if (bytes > capacity) return false;
  if (growth->retry_in > 0 && --growth->retry_in > 0) return false;
  uint64_t chunk = growth->reserved < FIRST_CHUNK ? FIRST_CHUNK : growth->reserved;
  if (chunk > LARGEST_CHUNK) chunk = LARGEST_CHUNK;
  uint64_t least = (bytes - growth->reserved + LAYOUT_PAGE - 1) & ~(uint64_t)(LAYOUT_PAGE - 1);
  if (chunk < least) chunk = least;
  if (chunk > capacity - growth->reserved) chunk = capacity - growth->reserved;
  uint8_t *start = store.sections[section] + growth->reserved;
  if (!take_space(start, chunk) && (chunk = least, !take_space(start, chunk))) {
    growth->retry_in = RETRY_AFTER;
    return false;
  }
  growth->reserved += chunk;
  return true;
}

uint32_t store_claim(enum layout_section section, uint32_t count) {
  const struct layout_range *range = &store.header->sections[section];
  struct growth *growth = &growths[section];
  lock_enter(&growth->lock);
  uint32_t first = atomic_load_explicit(&range->rows, memory_order_relaxed);
  if (first < STORE_FULL - count && reserve(section, ((uint64_t)first + count) * range->row_bytes)) return first;
  lock_leave(&growth->lock);
  return STORE_FULL;
}

void store_count(enum layout_section section, uint32_t end) {
  atomic_store_explicit(&store.header->sections[section].rows, end, memory_order_release);
  lock_leave(&growths[section].lock);
}

static uint32_t extend(enum layout_section section, uint32_t count, const void *bytes) {
  uint32_t first = store_claim(section, count), row_bytes = store.header->sections[section].row_bytes;
  if (first == STORE_FULL) return STORE_FULL;
  if (bytes != NULL) memcpy(store.sections[section] + (uint64_t)first * row_bytes, bytes, (uint64_t)count * row_bytes);
  store_count(section, first + count);
  return first;
}

uint32_t store_extend(enum layout_section section, uint32_t count) {
  return extend(section, count, NULL);
}

uint32_t store_append(enum layout_section section, const void *row) {
  return extend(section, 1, row);
}

uint32_t store_string(const char *text) {
  return extend(SECTION_STRINGS, (uint32_t)strlen(text) + 1, text);
}

bool store_reserve_rows(enum layout_section section, uint32_t count) {
  struct layout_range *range = &store.header->sections[section];
  if (LIKELY(count <= atomic_load_explicit(&range->rows, memory_order_acquire))) return true;
  struct growth *growth = &growths[section];
  lock_enter(&growth->lock);
  bool fits = reserve(section, (uint64_t)count * range->row_bytes);
  if (fits && count > range->rows) atomic_store_explicit(&range->rows, count, memory_order_release);
  lock_leave(&growth->lock);
  return fits;
}

void store_discard(void *start, size_t bytes) { SYSTEM_CALL3(SYS_madvise, start, bytes, MADV_REMOVE); }
