/* The agent's file: made once, grown by reserving space before it is touched, so that a full disk costs rows, never a fault. */
#ifndef MEMSURGE_STORE_H
#define MEMSURGE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "layout.h"

#define STORE_FULL UINT32_MAX

struct store {
  struct layout_header *header;
  /** Where each section lies in memory. */
  uint8_t *sections[SECTION_COUNT];
};
extern struct store store;

/**
 * The header's page once more, which children made by fork keep: until they have a file of their own it is that of the
 * process they come from. NULL where it could not be mapped.
 */
extern struct layout_header *store_kin;

/**
 * Makes `path` and maps it; fills the sections' places, nothing else of the header. Returns why it could not, when no file
 * is left, or WITHOUT_NOTHING.
 */
enum layout_without store_create(const char *path);
/** The program's address space is limited to so many bytes from now on (RLIMIT_AS): the file grows to an eighth at most. */
void store_limit_space(uint64_t bytes);
/** Unmaps the file; the file stays. */
void store_close(void);

/**
 * Appends `count` zeroed rows, counted at once; returns the first one's number or STORE_FULL.
 */
uint32_t store_extend(enum layout_section, uint32_t count);
/** Appends one row, whose bytes are in place before it is counted. */
uint32_t store_append(enum layout_section, const void *row);
/** Number of the first of `count` rows for the caller to write and then count, to whom the section belongs until then; or STORE_FULL. */
uint32_t store_claim(enum layout_section, uint32_t count);
/** Counts claimed rows: all before row `end` are in place. */
void store_count(enum layout_section, uint32_t end);
/** Appends a zero-terminated text to SECTION_STRINGS. */
uint32_t store_string(const char *text);
/** Space for what a sandboxed program may come to need: it cannot grow the file any more. */
void store_reserve_ahead(void);
/** Space for rows 0 .. count of a section that another one runs parallel to. */
bool store_reserve_rows(enum layout_section, uint32_t count);
/** Gives whole pages of a section back to the disk: they read as zero and are never used again. */
void store_discard(void *start, size_t bytes);

static inline void *store_rows(enum layout_section section) { return store.sections[section]; }
static inline struct layout_counters *store_counters(uint32_t stack) {
  return (struct layout_counters *)store.sections[SECTION_COUNTERS] + stack;
}

#endif
