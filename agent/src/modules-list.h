/* The images of the process on libcs that have no lock-free look-up: a list made anew whenever the loader can be asked. */
#ifndef MEMSURGE_MODULES_LIST_H
#define MEMSURGE_MODULES_LIST_H

#include "modules.h"

/** As modules_find, without the bounds of the segment. Takes no lock. */
bool modules_list_find(uint64_t address, struct image *);

/** Reads the list anew when images came or went. Takes the loader's lock. */
void modules_list_refresh(void);

#endif
