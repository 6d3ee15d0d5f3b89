/* Reads of the process's own memory that cannot fault. */
#ifndef MEMSURGE_PEEK_H
#define MEMSURGE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Before the first peek of a process: a child made by fork would otherwise read its parent. */
void peek_start(void);

/** Copies up to `bytes` from `address`; returns how many could be read from its start on. A system call: 0.3 us. */
size_t peek(void *to, uint64_t address, size_t bytes);

/** A piece of memory read at once, for readers that go on from one address to the next. */
struct peek_window {
  uint64_t start;
  uint32_t length;
  uint8_t bytes[1024];
};

/** The word at an address; the window is moved when it lies elsewhere. */
bool peek_word(struct peek_window *, uint64_t address, uint64_t *value);
/** Pointer to the bytes at an address and how many there are: at least `least` when they can be read at all, else 0. */
const uint8_t *peek_bytes(struct peek_window *, uint64_t address, uint32_t least, uint32_t *available);

#endif
