/* What of a running program the injector uses and keeps clear of. */
#ifndef INJECT_PROGRAM_H
#define INJECT_PROGRAM_H

#include "memory.h"

struct program {
  pid_t pid;
  struct mappings mappings;
  uint64_t dlopen, dlsym, dlerror, errno_location;
  /** RTLD_NOW, and what __libc_dlopen_mode wants besides. */
  uint32_t flags;
  /** Where `code_bytes` of code can lie: behind the end of a module's own, up to the end of its last page. 0: nowhere. */
  uint64_t room;
  /** The loader's own variables, its locks among them; 0 when they are not known. */
  uint64_t loader_data, loader_data_bytes;
  /** By mapping: code in which a thread may hold locks that loading takes, or have lists half changed. */
  bool *unsafe;
};

/** Reads the program `pid`. NULL, or why nothing can be loaded into it. */
const char *program_read(pid_t pid, size_t code_bytes, struct program *program);
void program_free(struct program *program);

/** Whether a thread at `pc` may be made to load a library: it is in code that is known to be neither loader nor allocator. */
bool program_is_safe(const struct program *program, uint64_t pc);

#endif
