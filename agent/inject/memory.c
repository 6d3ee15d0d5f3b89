#include "memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096u
/* More than any process has; a file that never ends must not be read for ever. */
#define MOST_TEXT ((size_t)64 << 20)
/* Bounds of what a damaged module may make us read. */
#define MOST_SEGMENTS 64
#define MOST_DYNAMIC 512
#define LONGEST_CHAIN 100000

/* All of a file of /proc, NUL-terminated; NULL with errno. */
static char *read_text(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  size_t capacity = 1 << 16, length = 0;
  char *text = malloc(capacity);
  for (ssize_t got; text != NULL; length += (size_t)got) {
    if (capacity - length < PAGE && capacity < MOST_TEXT) text = realloc(text, capacity *= 2);
    got = text == NULL ? -1 : read(fd, text + length, capacity - length - 1);
    if (got < 0) {
      free(text);
      text = NULL;
    }
    if (got <= 0) break;
  }
  close(fd);
  if (text != NULL) text[length] = 0;
  return text;
}

bool mappings_read(pid_t pid, struct mappings *mappings) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  *mappings = (struct mappings){.text = read_text(path)};
  if (mappings->text == NULL) return false;
  size_t lines = 0;
  for (const char *at = mappings->text; *at != 0; at++) lines += *at == '\n';
  mappings->rows = calloc(lines + 1, sizeof *mappings->rows);
  if (mappings->rows == NULL) return false;
  char *rest = NULL;
  for (char *line = strtok_r(mappings->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    struct mapping *row = &mappings->rows[mappings->count];
    char rights[5] = "";
    int name = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &row->start, &row->end, rights, &row->offset, &name) != 4) continue;
    row->code = rights[2] == 'x';
    row->path = line + name;
    mappings->count++;
  }
  return true;
}

void mappings_free(struct mappings *mappings) {
  free(mappings->rows);
  free(mappings->text);
  *mappings = (struct mappings){0};
}

const struct mapping *mappings_at(const struct mappings *mappings, uint64_t address) {
  for (size_t i = 0; i < mappings->count; i++) {
    const struct mapping *row = &mappings->rows[i];
    if (address >= row->start && address < row->end) return row;
  }
  return NULL;
}

bool peek(pid_t pid, uint64_t address, void *into, size_t bytes) {
  struct iovec here = {into, bytes}, there = {(void *)address, bytes};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

bool poke(pid_t pid, uint64_t address, const void *from, size_t bytes) {
  struct iovec here = {(void *)from, bytes}, there = {(void *)address, bytes};
  return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static void read_dynamic(struct module *module, uint64_t dynamic) {
  for (int i = 0; i < MOST_DYNAMIC; i++, dynamic += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!peek(module->pid, dynamic, &entry, sizeof entry) || entry.d_tag == DT_NULL) return;
    /* The loader has added the bias to these, but not where the dynamic section is read-only. */
    uint64_t at = entry.d_un.d_ptr < module->base ? entry.d_un.d_ptr + module->bias : entry.d_un.d_ptr;
    if (entry.d_tag == DT_SYMTAB) module->symbols = at;
    if (entry.d_tag == DT_STRTAB) module->strings = at;
    if (entry.d_tag == DT_GNU_HASH) module->gnu_hash = at;
    if (entry.d_tag == DT_HASH) module->hash = at;
  }
}

bool module_read(pid_t pid, uint64_t base, struct module *module) {
  *module = (struct module){.pid = pid, .base = base};
  Elf64_Ehdr header;
  if (!peek(pid, base, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phnum > MOST_SEGMENTS) return false;
  Elf64_Phdr segments[MOST_SEGMENTS];
  if (!peek(pid, base + header.e_phoff, segments, header.e_phnum * sizeof *segments)) return false;
  uint64_t dynamic = 0;
  bool has_bias = false;
  for (int i = 0; i < header.e_phnum; i++) {
    const Elf64_Phdr *segment = &segments[i];
    if (segment->p_type == PT_LOAD && !has_bias) {
      module->bias = base - (segment->p_vaddr & ~(uint64_t)(PAGE - 1));
      has_bias = true;
    }
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
      module->code_end = module->bias + segment->p_vaddr + segment->p_memsz;
    }
    if (segment->p_type == PT_DYNAMIC) dynamic = module->bias + segment->p_vaddr;
  }
  if (dynamic != 0) read_dynamic(module, dynamic);
  return module->symbols != 0 && module->strings != 0 && (module->gnu_hash != 0 || module->hash != 0);
}

static bool is_called(const struct module *module, const Elf64_Sym *symbol, const char *name) {
  char text[64];
  size_t bytes = strlen(name) + 1;
  return bytes <= sizeof text && peek(module->pid, module->strings + symbol->st_name, text, bytes) &&
         memcmp(text, name, bytes) == 0;
}

/* What the symbol of that number stands for, when it is the one. */
static uint64_t address_of(const struct module *module, uint32_t number, const char *name, uint64_t *size) {
  Elf64_Sym symbol;
  if (!peek(module->pid, module->symbols + (uint64_t)number * sizeof symbol, &symbol, sizeof symbol)) return 0;
  unsigned type = ELF64_ST_TYPE(symbol.st_info);
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0 || type == STT_GNU_IFUNC || type == STT_TLS) return 0;
  if (!is_called(module, &symbol, name)) return 0;
  if (size != NULL) *size = symbol.st_size;
  return module->bias + symbol.st_value;
}

static bool peek_word(const struct module *module, uint64_t at, uint32_t *word) {
  return peek(module->pid, at, word, sizeof *word);
}

/* "System V ABI", gABI chapter 5, "Hash Table". */
static uint64_t find_by_hash(const struct module *module, const char *name, uint64_t *size) {
  uint32_t hash = 0, counts[2], number;
  for (const char *at = name; *at != 0; at++) {
    hash = (hash << 4) + (uint8_t)*at;
    hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
  }
  if (!peek(module->pid, module->hash, counts, sizeof counts) || counts[0] == 0) return 0;
  if (!peek_word(module, module->hash + 8 + 4 * (uint64_t)(hash % counts[0]), &number)) return 0;
  for (int step = 0; number != 0 && number < counts[1] && step < LONGEST_CHAIN; step++) {
    uint64_t address = address_of(module, number, name, size);
    if (address != 0) return address;
    if (!peek_word(module, module->hash + 8 + 4 * ((uint64_t)counts[0] + number), &number)) return 0;
  }
  return 0;
}

/* The GNU hash section: buckets, first symbol, words and shift of the filter; the filter; buckets; a chain of hashes. */
static uint64_t find_by_gnu_hash(const struct module *module, const char *name, uint64_t *size) {
  uint32_t head[4], hash = 5381, number, other;
  for (const char *at = name; *at != 0; at++) hash = hash * 33 + (uint8_t)*at;
  if (!peek(module->pid, module->gnu_hash, head, sizeof head) || head[0] == 0) return 0;
  uint64_t buckets = module->gnu_hash + sizeof head + 8 * (uint64_t)head[2];
  uint64_t chain = buckets + 4 * (uint64_t)head[0];
  if (!peek_word(module, buckets + 4 * (uint64_t)(hash % head[0]), &number) || number < head[1]) return 0;
  for (int step = 0; step < LONGEST_CHAIN; step++, number++) {
    if (!peek_word(module, chain + 4 * (uint64_t)(number - head[1]), &other)) return 0;
    uint64_t address = (hash | 1) == (other | 1) ? address_of(module, number, name, size) : 0;
    if (address != 0) return address;
    if (other & 1) return 0;
  }
  return 0;
}

uint64_t module_find(const struct module *module, const char *name, uint64_t *size) {
  return module->gnu_hash != 0 ? find_by_gnu_hash(module, name, size) : find_by_hash(module, name, size);
}
