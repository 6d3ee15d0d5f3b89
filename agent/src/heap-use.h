/* How much of its heap a program uses when it is attached to. */
#ifndef MEMSURGE_HEAP_USE_H
#define MEMSURGE_HEAP_USE_H

#include <stdint.h>

/**
 * Bytes of the blocks in use by the C library's own count, mallinfo2(3): with what it adds to each block, and with the small
 * ones that threads have given back and keep at hand. 0 where it does not count (before glibc 2.33), or where the program
 * allocates from somebody else. Holds up each arena while its free blocks are counted. real_resolve comes first.
 */
uint64_t heap_in_use(void);

#endif
