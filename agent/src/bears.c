#include "bears.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "sandbox.h"

/* A script may name a script as its interpreter; Linux follows four. */
#define MAX_SCRIPTS 5
#define LONGEST_PATH 255

struct file {
  const uint8_t *bytes;
  uint64_t length;
  bool changes_user;
};

static bool map(int directory, const char *path, struct file *file) {
  if (path == NULL) return false;
  bool is_itself = *path == 0;
  long fd = is_itself ? directory : SYSTEM_CALL4(SYS_openat, directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return false;
  struct statx status = {0};
  long known = SYSTEM_CALL6(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE | STATX_TYPE | STATX_MODE, &status, 0);
  bool is_file = known == 0 && (status.stx_mode & 0170000) == 0100000 && status.stx_size > 0;
  long at = is_file ? SYSTEM_CALL6(SYS_mmap, 0, status.stx_size, PROT_READ, MAP_PRIVATE, fd, 0) : -1;
  if (!is_itself) SYSTEM_CALL3(SYS_close, fd, 0, 0);
  file->bytes = (const uint8_t *)at;
  file->length = status.stx_size;
  file->changes_user = (status.stx_mode & 06000) != 0;
  return at > 0 || at < -4095;
}

static const void *at(const struct file *file, uint64_t offset, uint64_t bytes) {
  return offset <= file->length && bytes <= file->length - offset ? file->bytes + offset : NULL;
}

static const Elf64_Phdr *header_of(const struct file *file, uint32_t type, uint32_t nth) {
  const Elf64_Ehdr *elf = at(file, 0, sizeof *elf);
  for (uint32_t i = 0; i < elf->e_phnum; i++) {
    const Elf64_Phdr *header = at(file, elf->e_phoff + i * (uint64_t)elf->e_phentsize, sizeof *header);
    if (header != NULL && header->p_type == type && nth-- == 0) return header;
  }
  return NULL;
}

static uint64_t offset_of(const struct file *file, uint64_t address) {
  const Elf64_Phdr *header;
  for (uint32_t i = 0; (header = header_of(file, PT_LOAD, i)) != NULL; i++) {
    if (address >= header->p_vaddr && address - header->p_vaddr < header->p_filesz) return address - header->p_vaddr + header->p_offset;
  }
  return UINT64_MAX;
}

/* Names of symbols and libraries, one after the other. */
static bool dynamic_names(const struct file *file, struct file *names) {
  const Elf64_Phdr *header = header_of(file, PT_DYNAMIC, 0);
  const Elf64_Dyn *row = header == NULL ? NULL : at(file, header->p_offset, header->p_filesz);
  uint64_t address = 0, bytes = 0;
  for (uint64_t i = 0; row != NULL && i < header->p_filesz / sizeof *row && row[i].d_tag != DT_NULL; i++) {
    if (row[i].d_tag == DT_STRTAB) address = row[i].d_un.d_ptr;
    if (row[i].d_tag == DT_STRSZ) bytes = row[i].d_un.d_val;
  }
  names->bytes = address == 0 ? NULL : at(file, offset_of(file, address), bytes);
  names->length = bytes;
  return names->bytes != NULL;
}

static bool holds_name(const struct file *names, const char *name) {
  return memmem(names->bytes, names->length, name, strlen(name) + 1) != NULL;
}

/* The runtimes of sanitizers insist on being loaded first, or on memory that is as they left it. */
static bool is_sanitized(const struct file *file) {
  static const char *const entries[] = {"__asan_init", "__tsan_init", "__msan_init", "__lsan_init", "__hwasan_init",
                                        /* what is left to see of one that is linked in statically */
                                        "__sanitizer_symbolize_code"};
  struct file names;
  if (!dynamic_names(file, &names)) return false;
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    if (holds_name(&names, entries[i])) return true;
  }
  return false;
}

/* Other loaders complain of a library that is not theirs. */
static bool has_our_loader(const struct file *file, const Elf64_Phdr *header) {
  static const char loader[] = "/ld-linux-x86-64.so.2";
  const char *path = at(file, header->p_offset, header->p_filesz);
  return path == NULL || header->p_filesz < sizeof loader || memcmp(path + header->p_filesz - sizeof loader, loader, sizeof loader) == 0;
}

static bool is_elf(const struct file *file) { return file->length >= sizeof(Elf64_Ehdr) && memcmp(file->bytes, ELFMAG, SELFMAG) == 0; }

static enum layout_without elf_lacks(const struct file *file) {
  const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file->bytes;
  if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != ARCH_ELF) return WITHOUT_OUR_LOADER;
  const Elf64_Phdr *loader = header_of(file, PT_INTERP, 0);
  if (loader == NULL) return WITHOUT_LOADER;
  if (!has_our_loader(file, loader)) return WITHOUT_OUR_LOADER;
  if (is_sanitized(file)) return WITHOUT_RIVALS;
  return file->changes_user ? WITHOUT_TRUST : WITHOUT_NOTHING;
}

/* "#! path argument\n". */
static bool interpreter_of(const struct file *file, char *path) {
  if (file->length < 3 || memcmp(file->bytes, "#!", 2) != 0) return false;
  uint64_t from = 2, length = 0;
  while (from < file->length && (file->bytes[from] == ' ' || file->bytes[from] == '\t')) from++;
  for (; from + length < file->length && length < LONGEST_PATH; length++) {
    uint8_t c = file->bytes[from + length];
    if (c == ' ' || c == '\t' || c == '\n') break;
    path[length] = (char)c;
  }
  path[length] = 0;
  return length > 0;
}

enum layout_without agent_lacks(int directory, const char *path) {
  if (atomic_load(&sandbox_is_known) && !sandbox_allows_start()) return WITHOUT_SYSTEM_CALLS;
  char interpreter[LONGEST_PATH + 1];
  for (int scripts = 0; scripts < MAX_SCRIPTS; scripts++) {
    struct file file;
    if (!map(directory, path, &file)) return WITHOUT_NOTHING;
    enum layout_without why = is_elf(&file) ? elf_lacks(&file) : WITHOUT_NOTHING;
    bool is_script = interpreter_of(&file, interpreter);
    SYSTEM_CALL3(SYS_munmap, file.bytes, file.length, 0);
    if (!is_script) return why;
    directory = AT_FDCWD;
    path = interpreter;
  }
  return WITHOUT_NOTHING;
}
