/* What glibc keeps of the calling thread in its control block: its id and its stack, without a system call or a lock. */
#ifndef MEMSURGE_THREAD_BLOCK_H
#define MEMSURGE_THREAD_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** At each start, while the system can be asked. */
void thread_block_prepare(void);

/** The kernel's id of the calling thread. */
int32_t thread_block_id(void);
/** That of the living thread whose pthread_t this is; 0 when it is not known. */
int32_t thread_block_id_of(uint64_t block);

/**
 * Bounds of the calling thread's own stack: from any stack pointer in it up to `high` all is mapped as long as the thread
 * lives. `is_first`: the program's first thread, whose stack grows. False: not known.
 */
bool thread_block_stack(bool is_first, uint64_t *low, uint64_t *high);

/** Where the block is: no two living threads of a process have the same. */
static inline uint64_t thread_block(void) { return (uint64_t)__builtin_thread_pointer(); }

#endif
