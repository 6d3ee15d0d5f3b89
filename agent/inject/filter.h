/* Whether a seccomp filter would end the program for what loading the agent and recording take. */
#ifndef INJECT_FILTER_H
#define INJECT_FILTER_H

#include "thread.h"

/** True: a filter of the held thread may end or hold up the program; also when it cannot be read, which takes root. */
bool thread_has_deadly_filter(const struct thread *thread);

#endif
