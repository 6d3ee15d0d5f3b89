/* The live table: address → block, sharded by address, in SECTION_BLOCKS. In sampled mode it holds the live samples. */
#ifndef MEMSURGE_BLOCKS_H
#define MEMSURGE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

enum blocks_put_result { BLOCKS_PUT, BLOCKS_REPLACED, BLOCKS_FULL };

void blocks_start(void);
/** Has the processor fetch the place where a block will be put. */
void blocks_expect(uint64_t address);
/** Adds a block; one that was thought to live at its address comes back in `replaced`. */
enum blocks_put_result blocks_put(const struct layout_block *, struct layout_block *replaced);
/** Removes the block at an address; false when there is none. */
bool blocks_take(uint64_t address, struct layout_block *taken);

#endif
