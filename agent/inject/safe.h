/* Which thread may be borrowed, and when. */
#ifndef INJECT_SAFE_H
#define INJECT_SAFE_H

#include "program.h"
#include "thread.h"

/** How much a thread minds being stopped, by what /proc says of it. */
enum candidate {
  /** Waits, and goes on waiting afterwards as if nothing had been. */
  CANDIDATE_WAITS,
  /** Runs: it may be at a good place or not. */
  CANDIDATE_RUNS,
  /** Waits with a timeout that begins again. */
  CANDIDATE_WAITS_ANEW,
  CANDIDATE_NONE,
};
enum candidate candidate_of(pid_t pid, pid_t tid);

/**
 * Whether a held thread may call into the C library: it waits in a call in which nobody holds the locks of loader or
 * allocator, or is outside of both; on its own stack, with room there, and not in a signal handler that interrupted them.
 */
bool thread_is_safe(const struct program *program, const struct thread *thread);

/** Whether a signal waits that the thread takes under `mask`: then its wait must end with EINTR. */
bool thread_has_signal(pid_t pid, pid_t tid, uint64_t mask);

#endif
