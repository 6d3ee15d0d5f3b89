/* Live mappings of the program: whole pages, in both modes exactly. */
#ifndef MEMSURGE_MAPS_H
#define MEMSURGE_MAPS_H

#include <stdint.h>

#include "unwind.h"

void maps_start(void);

#endif
