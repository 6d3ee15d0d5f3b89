/* The table of what is hooked, for dlsym and for patching a running program. */
#ifndef MEMSURGE_HOOKS_H
#define MEMSURGE_HOOKS_H

#include "got.h"

/** Ends with a NULL name. */
extern const struct got_hook hooks[];

#endif
