/* Symbol tables and their hashes: System V ABI, chapter 5; DT_GNU_HASH as binutils and glibc have it. */
#include "definition.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

struct symbols {
  const ElfW(Sym) *rows;
  const char *strings;
  /** The words of DT_GNU_HASH, of DT_HASH; NULL: the module has none. */
  const uint32_t *gnu_hash, *hash;
};

static bool is_definition_of(const struct symbols *symbols, uint32_t row, const char *name) {
  const ElfW(Sym) *symbol = &symbols->rows[row];
  return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 && strcmp(symbols->strings + symbol->st_name, name) == 0;
}

static uint32_t hash_of(const char *name) {
  uint32_t hash = 5381;
  for (; *name != 0; name++) hash = hash * 33 + (uint8_t)*name;
  return hash;
}

static uint32_t row_by_gnu_hash(const struct symbols *symbols, const char *name) {
  uint32_t bucket_count = symbols->gnu_hash[0], first_row = symbols->gnu_hash[1], bloom_words = symbols->gnu_hash[2];
  const uint32_t *buckets = symbols->gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof *buckets);
  const uint32_t *chains = buckets + bucket_count;
  uint32_t hash = hash_of(name), row = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
  if (row < first_row || row == 0) return 0;
  for (;; row++) {
    uint32_t chain = chains[row - first_row];
    if ((chain | 1) == (hash | 1) && is_definition_of(symbols, row, name)) return row;
    if (chain & 1) return 0;
  }
}

/* 0: none. */
static uint32_t row_named(const struct symbols *symbols, const char *name) {
  if (symbols->rows == NULL || symbols->strings == NULL) return 0;
  if (symbols->gnu_hash != NULL) return row_by_gnu_hash(symbols, name);
  uint32_t count = symbols->hash == NULL ? 0 : symbols->hash[1];
  for (uint32_t row = 1; row < count; row++) {
    if (is_definition_of(symbols, row, name)) return row;
  }
  return 0;
}

struct search {
  const char *name;
  void *found;
};

static int look_in(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  const ElfW(Dyn) *dynamic = NULL;
  uint64_t low = UINT64_MAX;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uint64_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type == PT_LOAD && start < low) low = start;
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn) *)start;
  }
  struct symbols symbols = {0};
  for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
    /* glibc has added the bias to most of these, but not where the dynamic section is read-only. */
    uint64_t value = dynamic->d_un.d_ptr;
    const void *at = (const void *)(value < low ? value + info->dlpi_addr : value);
    if (dynamic->d_tag == DT_SYMTAB) symbols.rows = at;
    if (dynamic->d_tag == DT_STRTAB) symbols.strings = at;
    if (dynamic->d_tag == DT_GNU_HASH) symbols.gnu_hash = at;
    if (dynamic->d_tag == DT_HASH) symbols.hash = at;
  }
  uint32_t row = row_named(&symbols, search->name);
  if (row != 0) search->found = (void *)(info->dlpi_addr + symbols.rows[row].st_value);
  return row != 0;
}

static bool is_jump_table_entry(void *address) {
  Dl_info info;
  const ElfW(Sym) *symbol = NULL;
  return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL && symbol->st_shndx == SHN_UNDEF;
}

void *definition_first(const char *name) {
  void *found = real_dlsym(RTLD_DEFAULT, name);
  if (found == NULL || !is_jump_table_entry(found)) return found;
  /* The loader lists modules in the order in which it looks for symbols in them; those loaded later come last. */
  struct search search = {.name = name};
  dl_iterate_phdr(look_in, &search);
  return search.found;
}
