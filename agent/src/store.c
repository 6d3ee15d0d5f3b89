#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arch.h"
#include "lock.h"
#include "memory.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MIB ((uint64_t)1 << 20)
#define FIRST_CHUNK ((uint64_t)16 << 10)
#define LARGEST_CHUNK MIB
/* A full disk is asked again only once in so many rows: asking costs microseconds. */
#define RETRY_AFTER 4096
#define LEAST_ROWS_AHEAD 65536
#define LEAST_BYTES_AHEAD (2 * MIB)

/* Of the file at most, before it is halved to fit RLIMIT_FSIZE; sums to 18 GiB. */
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
struct layout_header *store_kin;

struct growth {
  struct lock lock;
  uint32_t retry_in;
  /** From the section's start on: address space that is mapped, and how much of it has its space on the disk. */
  uint64_t mapped, reserved;
};
static struct growth growths[SECTION_COUNT];
/** Where sections lie in memory: the file's whole size, of which only what is in use is mapped. */
static uint8_t *window;
static _Atomic uint64_t mapped_bytes;
static _Atomic uint64_t space_limit;
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

/* A file above RLIMIT_FSIZE would raise SIGXFSZ. */
static int shift_within_limits(void) {
  uint64_t file_limit = limit_of(RLIMIT_FSIZE);
  int shift = 0;
  while (shift <= LARGEST_SHIFT && total_of(shift) > file_limit) shift++;
  return shift;
}

void store_limit_space(uint64_t bytes) { atomic_store(&space_limit, bytes / 8); }

/*
 * Sections grow in place, and what is not in use is not mapped either: mappings that were only reserved would count
 * against RLIMIT_AS, and mlockall would fill them. So the place must be one where nobody else maps anything: above what
 * programs that choose addresses themselves choose (46 bits: V8, PartitionAlloc), below where the kernel puts programs
 * (2/3 of 47 bits), far from where it puts mappings. Where that is forbidden (valgrind), lower.
 */
static const struct {
  uint64_t low, high;
} windows[] = {{0x400000000000, 0x540000000000}, {0x010000000000, 0x018000000000}};
#define TRIES 8

/* Not at a fixed place: another library of ours may be there, or the one of a parent whose memory we share. */
static uint64_t place_of_window(int try, uint64_t random) {
  int of = try / TRIES;
  uint64_t pages = (windows[of].high - windows[of].low) / LAYOUT_PAGE;
  return windows[of].low + ((random + (uint64_t)try * 0x9e3779b97f4a7c15u) >> 20) % pages * LAYOUT_PAGE;
}

static bool map_at(uint8_t *place, uint64_t bytes, long fd, uint64_t offset) {
  long flags = MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  long at = SYSTEM_CALL6(SYS_mmap, place, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (at == (long)place) return true;
  /* Kernels before 4.17 take the place as a wish. */
  if (at > 0 || at < -4095) SYSTEM_CALL3(SYS_munmap, at, bytes, 0);
  return false;
}

/* The header's page belongs to the first section's mapping. */
static uint64_t bytes_before(int section) { return section == 0 ? LAYOUT_PAGE : 0; }

static void unmap(void) {
  for (int i = 0; i < SECTION_COUNT; i++) {
    if (growths[i].mapped > 0) SYSTEM_CALL3(SYS_munmap, store.sections[i] - bytes_before(i), growths[i].mapped + bytes_before(i), 0);
    growths[i].mapped = 0;
  }
  atomic_store(&mapped_bytes, 0);
}

static bool map_sections(long fd, int shift) {
  uint64_t offset = LAYOUT_PAGE;
  for (int i = 0; i < SECTION_COUNT; i++) {
    uint64_t capacity = capacity_of(i, shift), first = capacity < FIRST_CHUNK ? capacity : FIRST_CHUNK, before = bytes_before(i);
    store.sections[i] = window + offset;
    if (!map_at(store.sections[i] - before, before + first, fd, offset - before)) return false;
    growths[i].mapped = first;
    atomic_fetch_add(&mapped_bytes, before + first);
    offset += capacity;
  }
  return true;
}

/* False leaves nothing mapped. */
static bool map_file(long fd, int shift) {
  uint64_t bytes = total_of(shift), random = monotonic_ns() ^ (uint64_t)&bytes << 20;
  if (SYSTEM_CALL3(SYS_ftruncate, fd, bytes, 0) < 0) return false;
  for (int try = 0; try < TRIES * (int)(sizeof windows / sizeof *windows); try++) {
    window = (uint8_t *)place_of_window(try, random * 0x9e3779b97f4a7c15u);
    if (map_sections(fd, shift)) {
      /* Both pass over what is not mapped, and hold for what the mappings grow by. */
      SYSTEM_CALL3(SYS_madvise, window, bytes, MADV_DONTFORK);
      SYSTEM_CALL3(SYS_madvise, window, bytes, MADV_DONTDUMP);
      return true;
    }
    unmap();
  }
  return false;
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
  result = SYSTEM_CALL4(SYS_fallocate, fd, 0, start - window, bytes);
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  return result == 0;
}

static void unmap_kin(void) {
  if (store_kin != NULL) SYSTEM_CALL3(SYS_munmap, store_kin, LAYOUT_PAGE, 0);
  store_kin = NULL;
}

/* In a fork over the page it has from its parent: what a sandbox is asked for (sandbox.c) has no munmap in it. */
static void map_kin(long fd) {
  long flags = MAP_SHARED | (store_kin != NULL ? MAP_FIXED : 0);
  long at = SYSTEM_CALL6(SYS_mmap, store_kin, LAYOUT_PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  store_kin = at < 0 && at >= -4095 ? NULL : (struct layout_header *)at;
}

static enum layout_without why_not_made(long result) {
  return result == -EACCES || result == -EPERM || result == -ENOENT || result == -ENOTDIR ? WITHOUT_FOLDER : WITHOUT_FILE;
}

enum layout_without store_create(const char *path) {
  memset(growths, 0, sizeof growths);
  strncpy(file_path, path, sizeof file_path - 1);
  store_limit_space(limit_of(RLIMIT_AS));
  int shift = shift_within_limits();
  if (shift > LARGEST_SHIFT) return WITHOUT_FILE;
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return why_not_made(fd);
  bool mapped = map_file(fd, shift) && take_space(window, LAYOUT_PAGE);
  if (mapped) map_kin(fd);
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  if (!mapped) {
    unmap();
    SYSTEM_CALL3(SYS_unlinkat, AT_FDCWD, path, 0);
    return WITHOUT_FILE;
  }
  store.header = (struct layout_header *)window;
  for (int i = 0; i < SECTION_COUNT; i++) {
    struct layout_range *range = &store.header->sections[i];
    range->offset = (uint64_t)(store.sections[i] - window);
    range->capacity_bytes = capacity_of(i, shift);
    range->row_bytes = plan[i].row_bytes;
  }
  return WITHOUT_NOTHING;
}

void store_close(void) {
  unmap();
  unmap_kin();
  store.header = NULL;
}

/* No descriptor is needed, and no pointer changes: the mapping ends further up. */
static bool extend_mapping(enum layout_section section, uint64_t bytes) {
  struct growth *growth = &growths[section];
  if (bytes <= growth->mapped) return true;
  uint64_t before = bytes_before(section), more = bytes - growth->mapped;
  if (atomic_load_explicit(&mapped_bytes, memory_order_relaxed) + more > atomic_load_explicit(&space_limit, memory_order_relaxed)) return false;
  uint8_t *start = store.sections[section] - before;
  if (SYSTEM_CALL4(SYS_mremap, start, growth->mapped + before, bytes + before, 0) != (long)start) return false;
  growth->mapped = bytes;
  atomic_fetch_add_explicit(&mapped_bytes, more, memory_order_relaxed);
  return true;
}

static bool take_more(enum layout_section section, uint64_t bytes) {
  struct growth *growth = &growths[section];
  if (!extend_mapping(section, growth->reserved + bytes)) return false;
  if (!take_space(store.sections[section] + growth->reserved, bytes)) return false;
  growth->reserved += bytes;
  return true;
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
  if (take_more(section, chunk) || take_more(section, least)) return true;
  growth->retry_in = RETRY_AFTER;
  return false;
}

/* As much again as is in use, and not less than a small program's whole recording takes. */
void store_reserve_ahead(void) {
  for (int i = 0; i < SECTION_COUNT; i++) {
    struct growth *growth = &growths[i];
    struct layout_range *range = &store.header->sections[i];
    lock_enter(&growth->lock);
    uint64_t used = (uint64_t)atomic_load(&range->rows) * range->row_bytes, ahead = range->row_bytes * LEAST_ROWS_AHEAD;
    if (ahead > LEAST_BYTES_AHEAD) ahead = LEAST_BYTES_AHEAD;
    if (i == SECTION_THREADS || i == SECTION_MODULES) ahead = FIRST_CHUNK;
    uint64_t wanted = used + (used > ahead ? used : ahead);
    if (wanted > range->capacity_bytes) wanted = range->capacity_bytes;
    growth->retry_in = 0;
    reserve(i, wanted);
    lock_leave(&growth->lock);
  }
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
