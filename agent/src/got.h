/* Sends calls of the loaded modules to the hooks by the slots of their global offset tables, and back. */
#ifndef MEMSURGE_GOT_H
#define MEMSURGE_GOT_H

#include <stdbool.h>
#include <stdint.h>

struct got_hook {
  const char *name;
  void *hook;
  /** The function the name stands for in this process; *real == NULL: there is none, and the name is left alone. */
  void **real;
};

/** Once per process, when what is real is known. `name` of the last hook is NULL. False: the system cannot. */
bool got_prepare(const struct got_hook *);

/**
 * What the name stands for among the modules that everybody sees: the program, what it was linked to, what was preloaded;
 * never a jump table's entry, which would lead back into a slot. NULL when nobody defines it. Works before got_prepare.
 */
void *got_find(const char *name);

/** Every module now calls the hooks; modules loaded later do after got_refresh. Returns the number of slots that lead to hooks. */
uint32_t got_connect(void);
/** Every module now calls the real functions; no slot leads to a hook. Returns the number of slots that still do: 0, or could not be written. */
uint32_t got_disconnect(void);

/** Between the two: takes in what was loaded or bound since. Cheap when nothing changed; skipped while another thread is at it. */
void got_refresh(void);

/** Slots that lead to hooks now. */
uint32_t got_connected(void);

#endif
