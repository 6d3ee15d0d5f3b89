/* The agent's private memory: pages from the kernel, never the program's allocator. */
#ifndef MEMSURGE_MEMORY_H
#define MEMSURGE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/** What a child made by fork finds in place of the pages. */
enum memory_in_child { MEMORY_GONE, MEMORY_ZERO, MEMORY_KEPT };

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/** Zeroed pages, or NULL. */
void *memory_map(size_t bytes, enum memory_in_child);
/**
 * The same for a hash table that is filled at once: a child made by fork finds nothing. Its pages are there before they are
 * touched, large ones where the system gives them: spread accesses miss the translation cache most of all.
 */
void *memory_map_table(size_t bytes);
void memory_unmap(void *, size_t bytes);
/** Makes whole pages zeroed ones again. */
void memory_clear(void *, size_t bytes);

/** Bounds of the mapping that holds an address, from /proc/self/maps; both 0 when there is none or it cannot be read. */
void memory_find(uint64_t address, uint64_t *start, uint64_t *end);

/** CLOCK_MONOTONIC, ns. */
uint64_t monotonic_ns(void);
/** The same to within a scheduler tick (1 to 10 ms), at a fraction of the price. */
uint64_t monotonic_coarse_ns(void);

#endif
