#include "maps.h"

#include <string.h>

#include "counters.h"
#include "lock.h"
#include "memory.h"
#include "store.h"

struct entry {
  uint64_t start, end;
  /** Row of MAPS. */
  uint32_t row;
  /** Serial of the thread that made it. */
  uint32_t owner;
  /** The upper part of one that was cut in two: the lower one counts as the mapping. */
  bool is_rest;
};

static struct lock lock;
static struct entry *entries;
static uint32_t used, capacity;
/* Rows of MAPS that are free again. */
static uint32_t *free_rows;
static uint32_t free_used;

void maps_start(bool after_fork) {
  if (!after_fork) {
    memory_unmap(entries, capacity * sizeof *entries);
    memory_unmap(free_rows, capacity * sizeof *free_rows);
  }
  lock = (struct lock){0};
  entries = NULL;
  free_rows = NULL;
  used = capacity = free_used = 0;
}

void maps_enter(void) { lock_enter(&lock); }
void maps_leave(void) { lock_leave(&lock); }

static struct layout_map *row_at(uint32_t row) { return (struct layout_map *)store_rows(SECTION_MAPS) + row; }

static bool grow(void) {
  uint32_t size = capacity == 0 ? 256 : capacity * 2;
  struct entry *larger = memory_map(size * sizeof *larger, MEMORY_GONE);
  /* Each entry ever made may have left a free row. */
  uint32_t *larger_free = memory_map(size * sizeof *larger_free, MEMORY_GONE);
  if (larger == NULL || larger_free == NULL) {
    memory_unmap(larger, size * sizeof *larger);
    memory_unmap(larger_free, size * sizeof *larger_free);
    return false;
  }
  if (used > 0) memcpy(larger, entries, used * sizeof *entries);
  if (free_used > 0) memcpy(larger_free, free_rows, free_used * sizeof *free_rows);
  memory_unmap(entries, capacity * sizeof *entries);
  memory_unmap(free_rows, capacity * sizeof *free_rows);
  entries = larger;
  free_rows = larger_free;
  capacity = size;
  return true;
}

/* The first entry that ends above the address. */
static uint32_t find(uint64_t address) {
  uint32_t low = 0, high = used;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (entries[middle].end > address) high = middle;
    else low = middle + 1;
  }
  return low;
}

static uint32_t new_row(const struct layout_map *map) {
  if (free_used == 0) return store_append(SECTION_MAPS, map);
  uint32_t row = free_rows[--free_used];
  struct layout_map *place = row_at(row);
  *place = (struct layout_map){.start = map->start, .stack = map->stack, .tick = map->tick, .time = map->time};
  atomic_signal_fence(memory_order_release);
  place->length = map->length;
  return row;
}

/* False: no room, and the mapping is not known. */
static bool insert(uint32_t at, struct entry entry, const struct layout_map *map) {
  if (used == capacity && !grow()) return false;
  entry.row = new_row(map);
  if (entry.row == STORE_FULL) return false;
  memmove(&entries[at + 1], &entries[at], (used - at) * sizeof *entries);
  entries[at] = entry;
  used++;
  return true;
}

static void drop(uint64_t bytes) {
  atomic_fetch_add_explicit(&store.header->losses.dropped_count, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&store.header->losses.dropped_bytes, bytes, memory_order_relaxed);
}

static void release(struct thread *thread, const struct entry *entry, uint64_t bytes, uint32_t count) {
  counters_freed(thread, KIND_MAPPED, row_at(entry->row)->stack, entry->owner, bytes, count);
}

/* Cuts [start, end) out of the entry's middle: the part above becomes an entry of its own. */
static void split(struct thread *thread, uint32_t at, uint64_t start, uint64_t end) {
  struct entry *entry = &entries[at];
  struct layout_map *row = row_at(entry->row), upper = *row;
  struct entry rest = {.start = end, .end = entry->end, .owner = entry->owner, .is_rest = true};
  release(thread, entry, end - start, 0);
  upper.start = end;
  upper.length = rest.end - end;
  row->length = start - entry->start;
  entry->end = start;
  if (insert(at + 1, rest, &upper)) return;
  release(thread, &entries[at], upper.length, 0);
  drop(upper.length);
}

static void forget(struct thread *thread, struct entry *entry) {
  release(thread, entry, entry->end - entry->start, !entry->is_rest);
  row_at(entry->row)->length = 0;
  free_rows[free_used++] = entry->row;
}

void maps_remove(struct thread *thread, uint64_t start, uint64_t length) {
  uint64_t end = start + length;
  uint32_t first = find(start), gone = first;
  if (first < used && entries[first].start < start && entries[first].end > end) {
    split(thread, first, start, end);
    return;
  }
  if (first < used && entries[first].start < start) { /* its end goes */
    struct entry *entry = &entries[first];
    release(thread, entry, entry->end - start, 0);
    entry->end = start;
    row_at(entry->row)->length = start - entry->start;
    gone = ++first;
  }
  for (; gone < used && entries[gone].end <= end; gone++) forget(thread, &entries[gone]);
  if (gone < used && entries[gone].start < end) { /* its start goes */
    struct entry *entry = &entries[gone];
    release(thread, entry, end - entry->start, 0);
    entry->start = end;
    row_at(entry->row)->start = end;
    row_at(entry->row)->length = entry->end - end;
  }
  if (gone == first) return;
  memmove(&entries[first], &entries[gone], (used - gone) * sizeof *entries);
  used -= gone - first;
}

void maps_add(struct thread *thread, uint64_t start, uint64_t length, uint32_t stack) {
  maps_remove(thread, start, length);
  struct layout_map map = {
      .start = start,
      .length = length,
      .stack = stack,
      .tick = atomic_load_explicit(&store.header->tick, memory_order_relaxed),
      .time = monotonic_ns(),
  };
  struct entry entry = {.start = start, .end = start + length, .owner = thread->serial};
  if (insert(find(start), entry, &map)) counters_allocated(thread, KIND_MAPPED, stack, length);
  else drop(length);
}
