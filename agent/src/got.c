/*
 * A slot is a word that the loader filled in with a function's address: JUMP_SLOT (calls), GLOB_DAT (calls without a
 * jump table, and addresses taken), 64 (addresses in data). Only slots that hold the real function, or that still lead
 * to the lazy resolver, are written, by one store of 8 bytes. Format: System V ABI, chapter 5, and its AMD64 supplement.
 */
#include "got.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "definition.h"
#include "loader.h"
#include "memory.h"
#include "real.h"

#define PAGE 4096u
#define FIRST_CAPACITY 512u

struct slot {
  uint64_t *at;
  uint32_t hook;
  uint32_t reserved;
};

/* Found in the present modules: their values are looked at again, because the lazy resolver may overwrite one. */
static struct {
  struct slot *rows;
  uint32_t count;
  uint32_t capacity;
} slots;

static const struct got_hook *all_hooks;

static _Atomic bool want_hooks;
/* What the last full pass brought about. */
static _Atomic bool applied;
/* Held over one pass; a fork waits for its end, and nobody else ever waits for it. */
static _Atomic bool passing;
static _Atomic uint32_t connected;
/* How often modules had been loaded and unloaded at the last full pass. */
static uint64_t seen_loads, seen_unloads;

/* A module while its relocations are walked. */
struct module {
  uint64_t bias;
  uint64_t low, high;
  /* Pages that the loader made read-only after relocation. */
  uint64_t relro_low, relro_high;
  const ElfW(Sym) *symbols;
  const char *strings;
  bool opened;
};

static const void *table_at(const struct module *module, ElfW(Addr) value) {
  /* glibc has added the bias to most of these, but not where the dynamic section is read-only. */
  return (const void *)(value < module->low ? value + module->bias : value);
}

static int hook_named(const char *name) {
  for (int i = 0; all_hooks[i].name != NULL; i++) {
    if (*all_hooks[i].real != NULL && strcmp(all_hooks[i].name, name) == 0) return i;
  }
  return -1;
}

static bool write_slot(struct module *module, uint64_t *at, uint64_t value) {
  bool sealed = (uint64_t)at >= module->relro_low && (uint64_t)at < module->relro_high;
  if (sealed && !module->opened) {
    long size = (long)(module->relro_high - module->relro_low);
    if (SYSTEM_CALL3(SYS_mprotect, module->relro_low, size, PROT_READ | PROT_WRITE) != 0) return false;
    module->opened = true;
  }
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
  return true;
}

static void seal(struct module *module) {
  if (!module->opened) return;
  SYSTEM_CALL3(SYS_mprotect, module->relro_low, module->relro_high - module->relro_low, PROT_READ);
  module->opened = false;
}

static void remember(uint64_t *at, uint32_t hook) {
  if (slots.count == slots.capacity) {
    uint32_t capacity = slots.capacity == 0 ? FIRST_CAPACITY : slots.capacity * 2;
    struct slot *rows = memory_map(capacity * sizeof *rows, MEMORY_ZERO);
    if (rows == NULL) return; /* the slot works, it is just not looked at again */
    if (slots.rows != NULL) {
      memcpy(rows, slots.rows, slots.count * sizeof *rows);
      memory_unmap(slots.rows, slots.capacity * sizeof *rows);
    }
    slots.rows = rows;
    slots.capacity = capacity;
  }
  slots.rows[slots.count++] = (struct slot){.at = at, .hook = hook};
}

/* True: the first call through the slot would go to the lazy resolver, and that would find `real`. */
static bool is_unbound(const struct module *module, uint32_t type, const ElfW(Sym) *symbol, uint64_t value, uint64_t real) {
  if (type != ARCH_RELOC_CALL || value < module->low || value >= module->high) return false;
  return symbol->st_shndx == SHN_UNDEF || module->bias + symbol->st_value == real;
}

static void visit_slot(struct module *module, const ElfW(Rela) *relocation) {
  uint32_t type = ELF64_R_TYPE(relocation->r_info);
  if (type != ARCH_RELOC_CALL && type != ARCH_RELOC_ADDRESS && type != ARCH_RELOC_WORD) return;
  if (type == ARCH_RELOC_WORD && relocation->r_addend != 0) return;
  const ElfW(Sym) *symbol = &module->symbols[ELF64_R_SYM(relocation->r_info)];
  int index = hook_named(module->strings + symbol->st_name);
  if (index < 0) return;
  uint64_t *at = (uint64_t *)(module->bias + relocation->r_offset);
  uint64_t value = __atomic_load_n(at, __ATOMIC_ACQUIRE);
  uint64_t hook = (uint64_t)all_hooks[index].hook, real = (uint64_t)*all_hooks[index].real;
  bool leads_to_hook = value == hook;
  if (applied) {
    if (value == real || is_unbound(module, type, symbol, value, real)) leads_to_hook = write_slot(module, at, hook);
  } else if (leads_to_hook) {
    leads_to_hook = !write_slot(module, at, real);
  }
  if (leads_to_hook) remember(at, (uint32_t)index);
}

static void visit_table(struct module *module, const ElfW(Rela) *table, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes / sizeof *table; i++) visit_slot(module, &table[i]);
}

static void visit_relocations(struct module *module, const ElfW(Dyn) *dynamic) {
  const ElfW(Rela) *calls = NULL, *data = NULL;
  uint64_t calls_bytes = 0, data_bytes = 0, relative = 0, call_format = DT_RELA;
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    switch (dynamic->d_tag) {
      case DT_SYMTAB: module->symbols = table_at(module, dynamic->d_un.d_ptr); break;
      case DT_STRTAB: module->strings = table_at(module, dynamic->d_un.d_ptr); break;
      case DT_JMPREL: calls = table_at(module, dynamic->d_un.d_ptr); break;
      case DT_PLTRELSZ: calls_bytes = dynamic->d_un.d_val; break;
      case DT_PLTREL: call_format = dynamic->d_un.d_val; break;
      case DT_RELA: data = table_at(module, dynamic->d_un.d_ptr); break;
      case DT_RELASZ: data_bytes = dynamic->d_un.d_val; break;
      /* The first so many need no symbol: they are most of them. */
      case DT_RELACOUNT: relative = dynamic->d_un.d_val; break;
    }
  }
  if (module->symbols == NULL || module->strings == NULL) return;
  if (calls != NULL && call_format == DT_RELA) visit_table(module, calls, calls_bytes);
  if (data != NULL && relative * sizeof *data < data_bytes) {
    visit_table(module, data + relative, data_bytes - relative * sizeof *data);
  }
  seal(module);
}

extern const char own_image[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

static int visit_module(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size;
  (void)unused;
  struct module module = {.bias = info->dlpi_addr, .low = UINT64_MAX};
  const ElfW(Dyn) *dynamic = NULL;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    uint64_t start = module.bias + segment->p_vaddr, end = start + segment->p_memsz;
    if (segment->p_type == PT_LOAD) {
      if (start < module.low) module.low = start;
      if (end > module.high) module.high = end;
    } else if (segment->p_type == PT_DYNAMIC) {
      dynamic = (const ElfW(Dyn) *)start;
    } else if (segment->p_type == PT_GNU_RELRO) {
      module.relro_low = start & ~(uint64_t)(PAGE - 1);
      module.relro_high = end & ~(uint64_t)(PAGE - 1);
    }
  }
  bool ours = (uint64_t)own_image >= module.low && (uint64_t)own_image < module.high;
  if (dynamic != NULL && !ours) visit_relocations(&module, dynamic);
  return 0;
}

static int note_changes(struct dl_phdr_info *info, size_t size, void *changed) {
  (void)size;
  *(bool *)changed = info->dlpi_adds != seen_loads || info->dlpi_subs != seen_unloads;
  seen_loads = info->dlpi_adds;
  seen_unloads = info->dlpi_subs;
  return 1;
}

static bool any_slot_lost(void) {
  for (uint32_t i = 0; i < slots.count; i++) {
    const struct slot *slot = &slots.rows[i];
    /* A child made by fork finds zeros here. */
    if (slot->at == NULL || __atomic_load_n(slot->at, __ATOMIC_RELAXED) != (uint64_t)all_hooks[slot->hook].hook) return true;
  }
  return false;
}

static bool try_to_hold(void) {
  bool held = false;
  return atomic_compare_exchange_strong(&passing, &held, true);
}

/* Brings all slots to where they are wanted. Modules cannot change meanwhile: if none did since, the known slots are still there. */
static void pass(void) {
  if (!try_to_hold()) return;
  bool changed = false;
  dl_iterate_phdr(note_changes, &changed);
  bool want = atomic_load(&want_hooks);
  if (changed || want != atomic_load(&applied) || any_slot_lost()) {
    slots.count = 0;
    atomic_store(&applied, want);
    dl_iterate_phdr(visit_module, NULL);
    atomic_store(&connected, slots.count);
  }
  atomic_store(&passing, false);
}

/* Without this a child could find the lock of dl_iterate_phdr taken for ever: glibc's fork does not reset it. */
static void before_fork(void) {
  while (!try_to_hold()) SYSTEM_CALL3(SYS_sched_yield, 0, 0, 0);
}
static void after_fork(void) { atomic_store(&passing, false); }

bool got_prepare(const struct got_hook *hooks) {
  all_hooks = hooks;
  return pthread_atfork(before_fork, after_fork, after_fork) == 0;
}

static bool is_ours(const void *address) {
  Dl_info info;
  return dladdr(address, &info) != 0 && info.dli_fbase == (void *)own_image;
}

void *got_find(const char *name) {
  void *found = definition_first(name);
  return found != NULL && is_ours(found) ? real_dlsym(RTLD_NEXT, name) : found;
}

void got_refresh(void) {
  if (atomic_load_explicit(&want_hooks, memory_order_relaxed)) loader_run_still(pass);
}

static uint32_t bring_about(bool hooks) {
  atomic_store(&want_hooks, hooks);
  loader_run_still(pass);
  while (atomic_load(&applied) != hooks || atomic_load(&passing)) {
    SYSTEM_CALL3(SYS_sched_yield, 0, 0, 0);
    loader_run_still(pass);
  }
  return atomic_load(&connected);
}

uint32_t got_connect(void) { return bring_about(true); }
uint32_t got_disconnect(void) { return bring_about(false); }
uint32_t got_connected(void) { return atomic_load(&connected); }
