#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RTLD_NOW 2u
/* glibc before 2.34, include/dlfcn.h: how libc itself calls __libc_dlopen_mode. */
#define RTLD_OF_LIBC 0x80000000u
#define CODE_ALIGNMENT 16u

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static bool begins_with(const char *text, const char *beginning) { return strncmp(text, beginning, strlen(beginning)) == 0; }

static bool is_libc(const char *path) { return begins_with(name_of(path), "libc.so.") || begins_with(name_of(path), "libc-2"); }
static bool is_loader(const char *path) { return begins_with(name_of(path), "ld-linux") || begins_with(name_of(path), "ld-2"); }
/* Of its own up to glibc 2.33. */
static bool is_libdl(const char *path) { return begins_with(name_of(path), "libdl"); }

/* Whatever they define. "[vdso]" is called from within libc. */
static bool is_unsafe_by_name(const char *path) {
  return is_libc(path) || is_loader(path) || is_libdl(path) || begins_with(path, "[v") ||
         begins_with(name_of(path), "libpthread") || begins_with(name_of(path), "libmemsurge");
}

static void note(uint64_t *address, const struct module *module, const char *name) {
  if (*address == 0) *address = module_find(module, name, NULL);
}

static void note_functions(struct program *program, const struct module *module) {
  note(&program->errno_location, module, "__errno_location");
  note(&program->dlopen, module, "dlopen");
  note(&program->dlsym, module, "dlsym");
  note(&program->dlerror, module, "dlerror");
}

/* A program of an older C library that never linked libdl: what libc has for its own needs. */
static void note_inner_functions(struct program *program, const struct module *libc) {
  if (program->dlopen != 0 && program->dlsym != 0) return;
  program->dlopen = module_find(libc, "__libc_dlopen_mode", NULL);
  program->dlsym = module_find(libc, "__libc_dlsym", NULL);
  program->dlerror = 0;
  program->flags |= RTLD_OF_LIBC;
}

/* Between the end of the module's own code and the end of its page. */
static void note_room(struct program *program, const struct module *module, size_t bytes) {
  uint64_t start = (module->code_end + CODE_ALIGNMENT - 1) & ~(uint64_t)(CODE_ALIGNMENT - 1);
  const struct mapping *last = module->code_end == 0 ? NULL : mappings_at(&program->mappings, module->code_end - 1);
  if (program->room == 0 && last != NULL && last->code && start + bytes <= last->end) program->room = start;
}

static void mark_unsafe(struct program *program, uint64_t from, const char *path) {
  for (size_t i = 0; i < program->mappings.count; i++) {
    const struct mapping *row = &program->mappings.rows[i];
    if (row->start >= from && strcmp(row->path, path) == 0) program->unsafe[i] = true;
  }
}

/* The first mapping of a file has its header; the others follow it. */
static void look_at_modules(struct program *program, size_t code_bytes, struct module *libc) {
  for (size_t i = 0; i < program->mappings.count; i++) {
    const struct mapping *row = &program->mappings.rows[i];
    struct module module;
    if (row->path[0] == 0 || row->offset != 0) continue;
    bool unsafe = is_unsafe_by_name(row->path);
    if (row->path[0] == '/' && module_read(program->pid, row->start, &module)) {
      /* Where the program's malloc may be, locked. */
      unsafe = unsafe || module_find(&module, "malloc", NULL) != 0;
      if (is_libc(row->path) || is_libdl(row->path)) note_functions(program, &module);
      if (is_libc(row->path)) *libc = module;
      if (is_loader(row->path)) program->loader_data = module_find(&module, "_rtld_global", &program->loader_data_bytes);
      /* Both stay as long as the program. */
      if (is_libc(row->path) || is_loader(row->path)) note_room(program, &module, code_bytes);
    }
    if (unsafe) mark_unsafe(program, row->start, row->path);
  }
}

const char *program_read(pid_t pid, size_t code_bytes, struct program *program) {
  *program = (struct program){.pid = pid, .flags = RTLD_NOW};
  if (!mappings_read(pid, &program->mappings)) return errno == EACCES || errno == EPERM ? "no permission" : "it has ended";
  if (program->mappings.count == 0) return "it has ended";
  program->unsafe = calloc(program->mappings.count, sizeof *program->unsafe);
  struct module libc = {0};
  look_at_modules(program, code_bytes, &libc);
  if (libc.base == 0) return "it has no glibc, or may not be read";
  note_inner_functions(program, &libc);
  if (program->dlopen == 0 || program->dlsym == 0 || program->errno_location == 0) return "its C library cannot load libraries";
  return program->room == 0 ? "its C library leaves no room for the call" : NULL;
}

void program_free(struct program *program) {
  mappings_free(&program->mappings);
  free(program->unsafe);
  program->unsafe = NULL;
}

bool program_is_safe(const struct program *program, uint64_t pc) {
  const struct mapping *row = mappings_at(&program->mappings, pc);
  return row != NULL && row->code && !program->unsafe[row - program->mappings.rows];
}
