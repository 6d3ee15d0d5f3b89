/* Which ELF image holds a code address, and the rows of the images that stacks led into. */
#ifndef MEMSURGE_MODULES_H
#define MEMSURGE_MODULES_H

#include <stdbool.h>
#include <stdint.h>

struct image {
  uint64_t start, end;
  /** Address in memory minus address in the file's program headers. */
  uint64_t bias;
  /** Start of .eh_frame_hdr, 0 when there is none, and bounds of the readable segment that it lies in. */
  uint64_t unwind_table;
  uint64_t readable_start, readable_end;
  /** The dynamic loader's own handle: tells apart two images that lay at the same place one after the other. */
  const void *handle;
  /** As the dynamic loader knows it; empty for the program. */
  const char *name;
};

/** False when the address belongs to no image: code made at run time, or no code at all. Takes no lock. */
bool modules_find(uint64_t address, struct image *);

/** Makes sure that the image has its row in the store. */
void modules_note(const struct image *);

/** The code of the dynamic loader; a process begins in it, in a frame that no table describes. */
bool modules_is_loader(const struct image *);

/**
 * Whether the `bytes` from an address on are code of an image that is never unloaded: one of the program's start, known
 * from modules_reset. They can be read as they are, without asking the system.
 */
bool modules_keep_code(uint64_t address, uint64_t bytes);

/** For a new store: no image has its row yet. Asks the system what hooks cannot ask later. */
void modules_reset(void);

/**
 * Marks the rows of images that are gone; false when there is none. On libcs without _dl_find_object reads the list of
 * images anew, under the loader's lock.
 */
bool modules_refresh(void);

/** Where libcs without _dl_find_object may have loaded images: reads their list anew if it changed, under the loader's lock. */
void modules_loaded(void);

#endif
