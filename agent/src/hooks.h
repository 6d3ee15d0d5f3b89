/* The table of what is hooked, for dlsym and for patching a running program. */
#ifndef MEMSURGE_HOOKS_H
#define MEMSURGE_HOOKS_H

#include "got.h"

/** dlsym as the program sees it (dlsym-x64.S). */
void *dlsym_thunk(void *handle, const char *name);

/** syscall as the program sees it (syscall-x64.S). */
long syscall_thunk(long number, ...);

/** Ends with a NULL name. */
extern const struct got_hook hooks[];

#endif
