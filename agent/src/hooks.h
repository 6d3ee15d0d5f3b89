/* The table of what is hooked, for dlsym and for patching a running program. */
#ifndef MEMSURGE_HOOKS_H
#define MEMSURGE_HOOKS_H

#include "got.h"

/** dlsym as the program sees it (dlsym-x64.S). */
void *dlsym_thunk(void *handle, const char *name);

/** Ends with a NULL name. */
extern const struct got_hook hooks[];

#endif
