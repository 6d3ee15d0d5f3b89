#include "modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "arch.h"
#include "memory.h"
#include "modules-list.h"
#include "modules-path.h"
#include "store.h"

/* struct dl_find_object, which older headers do not have. */
struct found_object {
  unsigned long long flags;
  void *start, *end;
  struct link_map *map;
  void *unwind_table;
  unsigned long long reserved[7];
};

/* _dl_find_object of glibc 2.35 and later; needs no lock. NULL where it is not there. */
static int (*find_object_by_libc)(void *, struct found_object *);
#ifdef MEMSURGE_TEST_MODULES_LIST
#define HAS_FIND_OBJECT false
#else
#define HAS_FIND_OBJECT (find_object_by_libc != NULL)
#endif

/* Images of which a stack told; more than that are not noted. */
#define KNOWN_IMAGES 4096
#define PLACE_FREE 0
/* No image starts here. */
#define PLACE_CLAIMED 1
#define PLACE_GONE 2

struct known_image {
  _Atomic uint64_t start;
  uint64_t end;
  const void *handle;
  uint64_t unwind_table;
  uint32_t row;
};
static struct known_image known_images[KNOWN_IMAGES];

/* The program headers: the program's from the kernel, others' as the first segment usually maps them. */
static const ElfW(Phdr) * headers_of(const struct image *image, uint32_t *count) {
  *count = 0;
  if (image->name[0] == 0) {
    *count = (uint32_t)getauxval(AT_PHNUM);
    return (const ElfW(Phdr) *)getauxval(AT_PHDR);
  }
  const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)image->start;
  if (image->end - image->start < sizeof *file || memcmp(file->e_ident, ELFMAG, SELFMAG) != 0) return NULL;
  if (file->e_phoff + file->e_phnum * sizeof(ElfW(Phdr)) > 4096 || file->e_phentsize != sizeof(ElfW(Phdr))) return NULL;
  *count = file->e_phnum;
  return (const ElfW(Phdr) *)(image->start + file->e_phoff);
}

/* Where segments do not adjoin, the loader knows each by itself; and in between there are holes that cannot be read. */
static void find_extent(struct image *image) {
  uint32_t count;
  const ElfW(Phdr) *header = headers_of(image, &count);
  image->readable_start = image->readable_end = image->unwind_table;
  for (uint32_t i = 0; i < count; i++) {
    if (header[i].p_type != PT_LOAD) continue;
    uint64_t start = header[i].p_vaddr + image->bias, end = start + header[i].p_memsz;
    if (start < image->start) image->start = start & ~4095ull;
    if (end > image->end) image->end = end;
    if (!(header[i].p_flags & PF_R) || image->unwind_table < start || image->unwind_table >= end) continue;
    image->readable_start = start;
    image->readable_end = end;
  }
}

/* As the loader knows it, without a look into the image itself. */
static bool find_object(uint64_t address, struct image *image) {
  if (!HAS_FIND_OBJECT) return modules_list_find(address, image);
  struct found_object object;
  if (find_object_by_libc((void *)address, &object) != 0) return false;
  *image = (struct image){
      .start = (uint64_t)object.start,
      .end = (uint64_t)object.end,
      .bias = object.map->l_addr,
      .unwind_table = (uint64_t)object.unwind_table,
      .handle = object.map,
      .name = object.map->l_name,
  };
  return true;
}

bool modules_find(uint64_t address, struct image *image) {
  if (!find_object(address, image)) return false;
  find_extent(image);
  return true;
}

bool modules_is_loader(const struct image *image) { return image->start == getauxval(AT_BASE); }

#define PATH_BYTES 1024
static char program_path[PATH_BYTES];

/* Paths as the loader has them may be relative to a directory that is not the current one any more: then as the kernel has them. */
static void path_of(const struct image *image, char *path, size_t size) {
  path[0] = 0;
  if (image->name[0] == '/') {
    strncpy(path, image->name, size - 1);
  } else if (image->start == getauxval(AT_SYSINFO_EHDR)) {
    strncpy(path, "[vdso]", size - 1);
  } else if (image->name[0] == 0) {
    memcpy(path, program_path, size < sizeof program_path ? size : sizeof program_path);
  } else {
    modules_mapped_path(image->start, path, size);
  }
}

/* NT_GNU_BUILD_ID of a PT_NOTE. */
static bool find_build_id(const uint8_t *notes, uint64_t bytes, struct layout_module *row) {
  for (uint64_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
    const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(notes + at);
    uint64_t name = at + sizeof *note, description = name + ((note->n_namesz + 3u) & ~3ull);
    uint64_t next = description + ((note->n_descsz + 3u) & ~3ull);
    if (next > bytes) return false;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
      row->build_id_bytes = note->n_descsz < sizeof row->build_id ? note->n_descsz : sizeof row->build_id;
      memcpy(row->build_id, notes + description, row->build_id_bytes);
      return true;
    }
    at = next;
  }
  return false;
}

static uint32_t append_row(const struct image *image) {
  char path[PATH_BYTES] = "";
  path_of(image, path, sizeof path);
  struct layout_module row = {.start = image->start, .end = image->end, .bias = image->bias, .from_time = monotonic_ns()};
  row.path = store_string(path);
  uint32_t count;
  const ElfW(Phdr) *header = headers_of(image, &count);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t start = header[i].p_vaddr + image->bias;
    bool lies_within = start >= image->start && start + header[i].p_memsz <= image->end;
    if (header[i].p_type == PT_NOTE && lies_within && find_build_id((const uint8_t *)start, header[i].p_memsz, &row)) break;
  }
  return store_append(SECTION_MODULES, &row);
}

static bool is_same(const struct known_image *known, const struct image *image) {
  return known->handle == image->handle && known->unwind_table == image->unwind_table;
}

static void mark_gone(struct known_image *known) {
  if (known->row != STORE_FULL) ((struct layout_module *)store_rows(SECTION_MODULES))[known->row].to_time = monotonic_ns();
  atomic_store_explicit(&known->start, PLACE_GONE, memory_order_release);
}

/* Two threads that meet the same image at the same moment may both note it: a reader finds two equal rows. */
void modules_note(const struct image *image) {
  for (struct known_image *known = known_images; known < known_images + KNOWN_IMAGES; known++) {
    uint64_t start = atomic_load_explicit(&known->start, memory_order_acquire);
    if (start == PLACE_FREE && atomic_compare_exchange_strong(&known->start, &start, PLACE_CLAIMED)) {
      known->end = image->end;
      known->handle = image->handle;
      known->unwind_table = image->unwind_table;
      known->row = append_row(image);
      atomic_store_explicit(&known->start, image->start, memory_order_release);
      return;
    }
    if (start <= PLACE_GONE) continue;
    if (start == image->start && known->end == image->end && is_same(known, image)) return;
    if (start < image->end && image->start < known->end) mark_gone(known);
  }
}

#define KEPT_SEGMENTS 256
static struct {
  uint64_t start, end;
} kept[KEPT_SEGMENTS];
static uint32_t kept_count;

/* The program and what it was linked with come first in the list, as they were loaded; the first that comes later ends it. */
static int keep_image(struct dl_phdr_info *info, size_t size, void *last) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum && kept_count < KEPT_SEGMENTS; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || !(header->p_flags & PF_R)) continue;
    kept[kept_count].start = info->dlpi_addr + header->p_vaddr;
    kept[kept_count++].end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
  }
  /* The loader itself stands last among them. */
  return info->dlpi_addr == *(const uint64_t *)last;
}

bool modules_keep_code(uint64_t address, uint64_t bytes) {
  for (uint32_t i = 0; i < kept_count; i++) {
    if (address >= kept[i].start && address + bytes <= kept[i].end && address + bytes > address) return true;
  }
  return false;
}

void modules_reset(void) {
  memset(known_images, 0, sizeof known_images);
  /* Not in a child made by fork: it may find the loader's lock held for ever, and what is freed by the way would be missed. */
  if (kept_count == 0) {
    void *found = dlvsym(RTLD_DEFAULT, "_dl_find_object", "GLIBC_2.35");
    memcpy(&find_object_by_libc, &found, sizeof found);
    uint64_t loader = getauxval(AT_BASE);
    dl_iterate_phdr(keep_image, &loader);
  }
  if (!HAS_FIND_OBJECT) modules_list_refresh();
  long length = SYSTEM_CALL4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", program_path, sizeof program_path - 1);
  program_path[length > 0 ? length : 0] = 0;
}

void modules_loaded(void) {
  if (!HAS_FIND_OBJECT) modules_list_refresh();
}

/* Other threads may be unloading images meanwhile: none is looked into. */
bool modules_refresh(void) {
  bool any_gone = false;
  if (!HAS_FIND_OBJECT) modules_list_refresh();
  for (struct known_image *known = known_images; known < known_images + KNOWN_IMAGES; known++) {
    uint64_t start = atomic_load_explicit(&known->start, memory_order_acquire);
    if (start == PLACE_FREE) break;
    struct image image;
    if (start <= PLACE_GONE || (find_object(start, &image) && is_same(known, &image))) continue;
    mark_gone(known);
    any_gone = true;
  }
  return any_gone;
}
