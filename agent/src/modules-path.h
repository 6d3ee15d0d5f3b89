/* The kernel's knowledge of which file is mapped. */
#ifndef MEMSURGE_MODULES_PATH_H
#define MEMSURGE_MODULES_PATH_H

#include <stddef.h>
#include <stdint.h>

/** Absolute path of the file whose mapping starts at `start`, from /proc/self/maps; empty when there is none or it is too long. */
void modules_mapped_path(uint64_t start, char *path, size_t size);

#endif
