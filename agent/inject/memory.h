/* The memory of a process as the injector sees it: its mappings, its modules, and the names they define. */
#ifndef INJECT_MEMORY_H
#define INJECT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
  uint64_t start, end, offset;
  bool code;
  /** What lies there, "" when nothing with a name does. */
  const char *path;
};

/** Mappings by address, as /proc/PID/maps has them. */
struct mappings {
  struct mapping *rows;
  size_t count;
  char *text;
};

/** False: it has ended, or may not be looked at (errno). */
bool mappings_read(pid_t pid, struct mappings *mappings);
void mappings_free(struct mappings *mappings);
/** NULL: nothing is mapped at `address`. */
const struct mapping *mappings_at(const struct mappings *mappings, uint64_t address);

/** Copies `bytes` from `address` of process `pid`. False: not all of it is there. */
bool peek(pid_t pid, uint64_t address, void *into, size_t bytes);

/** Writes `bytes` to `address`, where the program itself could. */
bool poke(pid_t pid, uint64_t address, const void *from, size_t bytes);

/** A loaded ELF file, read from memory: its path may mean nothing here, or not exist any more. */
struct module {
  pid_t pid;
  uint64_t base, bias;
  /** End of its executable segment as the file has it; up to the end of the page nothing lies. */
  uint64_t code_end;
  uint64_t symbols, strings, gnu_hash, hash;
};

/** False: there is no 64-bit ELF file at `base`, or one without names. */
bool module_read(pid_t pid, uint64_t base, struct module *module);
/** Address of the function or variable that the module defines as `name`, and its size (may be NULL); 0: it does not. */
uint64_t module_find(const struct module *module, const char *name, uint64_t *size);

#endif
