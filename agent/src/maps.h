/*
 * Live mappings that the program made itself, in both modes all of them: sorted by address, because one call may cover
 * several or the middle of one. Bytes are whole pages. Address space reserved without access
 * (PROT_NONE) does not count.
 */
#ifndef MEMSURGE_MAPS_H
#define MEMSURGE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "threads.h"

/** In sampled mode smaller ones have no stack: walking for them was the larger part of sampling's cost (dotnet build). */
#define MAPS_STACK_BYTES (256 << 10)

void maps_start(bool after_fork);

/** The calls of one change: others wait. A mapping that is replaced or moved must not be seen half-way. */
void maps_enter(void);
void maps_leave(void);

/** Between enter and leave. [start, start + length) was mapped by `stack`; what was there before is released. */
void maps_add(struct thread *, uint64_t start, uint64_t length, uint32_t stack);
/** Whatever lies in [start, start + length) is released. */
void maps_remove(struct thread *, uint64_t start, uint64_t length);

#endif
