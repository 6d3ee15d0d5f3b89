#include "modules-list.h"

#include <link.h>
#include <stdatomic.h>
#include <stddef.h>

#include "memory.h"

#define FIRST_CAPACITY 256

struct list {
  uint32_t count, capacity;
  struct image images[];
};
/* A list that was replaced is never given back: a walk may be reading it. Few KiB for each time that images come or go. */
static struct list *_Atomic current;
static unsigned long long changes_seen;

struct reading {
  struct list *list;
  unsigned long long changes;
  bool is_full;
};

static size_t bytes_of(uint32_t capacity) { return sizeof(struct list) + capacity * sizeof(struct image); }

static int read_changes(struct dl_phdr_info *info, size_t size, void *to) {
  if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) *(unsigned long long *)to = info->dlpi_adds + info->dlpi_subs;
  return 1;
}

static int read_image(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct reading *reading = context;
  struct list *list = reading->list;
  if (list->count == list->capacity) return reading->is_full = true, 1;
  struct image image = {.start = UINT64_MAX, .bias = info->dlpi_addr, .handle = info->dlpi_phdr, .name = info->dlpi_name};
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uint64_t start = info->dlpi_addr + header->p_vaddr, end = start + header->p_memsz;
    if (header->p_type == PT_GNU_EH_FRAME) image.unwind_table = start;
    if (header->p_type != PT_LOAD) continue;
    if (image.start == UINT64_MAX) image.start = start & ~4095ull;
    if (end > image.end) image.end = end;
  }
  list->images[list->count++] = image;
  return 0;
}

void modules_list_refresh(void) {
  struct reading reading = {0};
  dl_iterate_phdr(read_changes, &reading.changes);
  if (atomic_load(&current) != NULL && reading.changes == changes_seen) return;
  for (uint32_t capacity = FIRST_CAPACITY;; capacity *= 2) {
    reading.list = memory_map(bytes_of(capacity), MEMORY_ZERO);
    if (reading.list == NULL) return;
    reading.list->capacity = capacity;
    reading.is_full = false;
    dl_iterate_phdr(read_image, &reading);
    if (!reading.is_full) break;
    memory_unmap(reading.list, bytes_of(capacity));
  }
  changes_seen = reading.changes;
  atomic_store_explicit(&current, reading.list, memory_order_release);
}

bool modules_list_find(uint64_t address, struct image *image) {
  const struct list *list = atomic_load_explicit(&current, memory_order_acquire);
  for (uint32_t i = 0; list != NULL && i < list->count; i++) {
    if (address < list->images[i].start || address >= list->images[i].end) continue;
    *image = list->images[i];
    return true;
  }
  return false;
}
