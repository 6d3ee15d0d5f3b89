/* What the hooks call. Each call is one event; none touches errno, waits for the program's locks, or allocates. */
#ifndef MEMSURGE_RECORD_H
#define MEMSURGE_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "arch.h"
#include "gate.h"
#include "layout.h"
#include "threads.h"

/** A block that is on its way out: not counted as freed yet, for realloc may fail. */
struct departing {
  /** The recording that knew it, 0: none. */
  uint32_t recording;
  struct layout_block block;
};

/** The program got `size` bytes at `block`; `nested`: inside of the call that gave it, this thread allocated something. */
void record_alloc(void *block, size_t size, bool nested, const struct unwind_registers *);
/** True: the block lies in what this thread allocated last. Meant for a call inside of which something was allocated. */
bool record_last_contains(const void *block);
/** It begins there. */
bool record_last_is(const void *block);
/** Before the program gives a block back: from then on anybody may get its address. */
void record_free(void *block);
/** The same around a call that may come to free with the block: what is released already is not released again there. */
void record_free_by(void *block);
void record_freed_by(void);
/** realloc in three steps: the block departs before, and is freed or back after. */
void record_depart(void *block, struct departing *);
void record_departed(const struct departing *);
void record_back(const struct departing *);

/**
 * What a hook notes before its real call. An allocator's functions may be made of each other, and come here again: not the
 * address tells that (another thread may have freed the block meanwhile), but that the countdown moved inside the call.
 */
static inline int64_t record_mark(void) {
  const struct thread *thread = thread_self();
  return LIKELY(thread != NULL) ? thread->countdown : INT64_MAX;
}

/** True: since `mark` this thread allocated something. */
static inline bool record_is_nested(int64_t mark) {
  const struct thread *thread = thread_self();
  return thread != NULL && UNLIKELY(thread->countdown != mark);
}

/**
 * Sampled mode's fast way: true while the thread's next sample is further away than these bytes. In exact mode never.
 * Only for sizes that were granted: others would wrap the countdown.
 */
static inline bool record_passes(size_t size) {
  struct thread *thread = thread_self();
  return LIKELY(thread != NULL) && LIKELY((thread->countdown -= (int64_t)size) > 0);
}

#define RECORD_ALLOC(block, size, mark)                                                                                \
  do {                                                                                                                 \
    if ((block) == NULL) break;                                                                                        \
    bool nested = record_is_nested(mark);                                                                              \
    if (UNLIKELY(nested) || !record_passes(size)) {                                                                    \
      struct unwind_registers registers = CALLER_REGISTERS();                                                          \
      record_alloc(block, size, nested, &registers);                                                                   \
    }                                                                                                                  \
  } while (0)

#define RECORD_FREE(block)                                                                                             \
  do {                                                                                                                 \
    if (UNLIKELY(gate_may_know(block)) && (block) != NULL) record_free(block);                                         \
  } while (0)

#endif
