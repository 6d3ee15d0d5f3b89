/*
 * The system calls that the program has given up (seccomp). A filter is noticed when it is installed, and asked before each
 * call of the agent from then on: what it does not simply allow is not tried, and the agent goes on with what it has.
 */
#ifndef MEMSURGE_SANDBOX_H
#define MEMSURGE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct sock_fprog;

/** Whether the file can grow under a filter (NULL: strict mode) that is about to be installed. */
bool sandbox_will_allow_growth(const struct sock_fprog *);
/** It is installed: `for_all`, for the threads that are there too. */
void sandbox_enter(const struct sock_fprog *, bool for_all);

/** Whether the known filters let a call through. */
bool sandbox_allows(long number, const long arguments[6]);
/** What the start of a recording needs. A filter that was installed unnoticed counts as one that refuses. */
bool sandbox_allows_start(void);
/** At a start, before which no filter was noticed. */
void sandbox_note_start(void);
/** The agent's own thread may call what it likes: no filter holds for it. */
bool sandbox_spares_others(void);

/** The time stamp counter is given up (strict mode, PR_SET_TSC): the clock must not read it. */
void sandbox_give_up_tsc(void);
/** Only a clock that the kernel advances at its ticks can be read. */
bool sandbox_clock_is_coarse(void);

#endif
