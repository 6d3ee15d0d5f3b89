/* Stacks as a trie of (parent, pc), rooted at the thread; a stack is a node with its kind of memory. */
#ifndef MEMSURGE_STACKS_H
#define MEMSURGE_STACKS_H

#include "layout.h"
#include "threads.h"

/** Clears what is shared by threads, and makes the unused rows 0. In a child made by fork the memory is gone already. */
bool stacks_start(bool after_fork);
/** The thread's root node and the stacks of which only the thread is known. */
bool stacks_root(struct thread *);
/** Row of STACKS for where the thread is now. When it cannot be recorded it counts under the thread's root. */
uint32_t stacks_here(struct thread *, enum layout_kind, const struct unwind_registers *);

/** Memory for what a sandboxed thread may come to need. */
void stacks_reserve_ahead(struct thread *);

#endif
