/* Walks the stack of the calling thread. */
#ifndef MEMSURGE_UNWIND_H
#define MEMSURGE_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "cfi.h"
#include "peek.h"

#define UNWIND_MAX_DEPTH 512

struct unwind_frame {
  /** One past what was being executed: a return address, or the address at which a signal came, plus 1. */
  uint64_t pc;
  /** Stack pointer of its caller. */
  uint64_t cfa;
  /** `node` and `hash` belong to the caller of unwind. */
  uint32_t node;
  uint32_t reserved;
  uint64_t hash;
};

/** What a frame was computed with: its frame pointer, and where that was loaded from (0: it was in the register). */
struct unwind_trail {
  uint64_t fp, fp_slot;
};

struct unwind_step {
  uint64_t pc;
  /** Its three lowest bits are marks. */
  uint64_t marked_cfa;
  struct unwind_trail trail;
};

/** One per thread: 60 KiB of zeroed memory, of which little is touched; the stack of a signal handler has no such room. */
struct walker {
  /** Bounds of the thread's stack, by the caller of unwind: the memory from a stack pointer in it up to `stack_high` is mapped. */
  uint64_t stack_low, stack_high;
  uint32_t depth;
  /** Outermost first. */
  struct unwind_frame frames[UNWIND_MAX_DEPTH];

  /* From here on the unwinder's own. */
  uint32_t flags;
  uint32_t walks;
  /** Of the rules that `frames` were found with. */
  uint64_t epoch;
  /** Of `frames`. */
  struct unwind_trail trails[UNWIND_MAX_DEPTH];
  /** Of the walk under way, innermost first. */
  struct unwind_step steps[UNWIND_MAX_DEPTH];
  /** Memory outside of the thread's stack: other stacks, and code that no image owns. */
  struct peek_window stack_window, code_window;
  struct cfi_work cfi;
};

/** Of the frame to start with: the hook's caller. */
struct unwind_registers {
  uint64_t pc, sp, fp;
};

/**
 * Walks outward. Afterwards frames[0 .. depth) is the whole stack, root first; returns how many of the outermost entries
 * are unchanged since the walk before. `flags`: STACK_TRUNCATED, STACK_BROKEN. Never faults, takes no lock, allocates
 * nothing. Images that the walk led into for the first time are noted in the store.
 */
uint32_t unwind(struct walker *, const struct unwind_registers *, uint32_t *flags);

/** Before the first walk into a new store: all is forgotten. */
void unwind_start(void);

/**
 * After dlclose, and on libcs without _dl_find_object after dlopen: what is known of images that are gone is forgotten.
 * Takes the loader's lock on libcs without _dl_find_object, so not for hooks that may run inside of the loader.
 */
void unwind_images_changed(void);

/**
 * Rises whenever code may have been replaced by other code at the same addresses: a pc that was named before
 * the last rise may mean something else now.
 */
uint32_t unwind_code_epoch(void);

#endif
