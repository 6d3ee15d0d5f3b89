/*
 * pthread_getattr_np would allocate and read files; gettid is a call that sandboxes refuse. The block's layout (struct
 * pthread, nptl/descr.h) differs from version to version: fields are found by what they must be. `tid` holds the id;
 * `stackblock` and `stackblock_size` are two words that bound the block itself, which lies at its stack's end.
 */
#include "thread-block.h"

#include <stddef.h>
#include <sys/resource.h>

#include "arch.h"

#define PAGE ((uint64_t)4096)
/* Of glibc 2.17; it did not become smaller since. */
#define BLOCK_BYTES 2304
/* Before it lies what other libcs have too. */
#define FIRST_FIELD 64
/* From the block's start to its stack's end: the block, and what is lost by rounding. */
#define MOST_BEHIND (4 * PAGE)
#define LEAST_ADDRESS 65536
#define LARGEST_STACK ((uint64_t)1 << 38)
#define LARGEST_FIRST_STACK ((uint64_t)1 << 30)

extern void *__libc_stack_end __attribute__((weak));

static uint64_t first_stack_bytes;
/* Of `tid`; 0: not known. */
static size_t id_offset;

static int32_t id_by_kernel(void) { return (int32_t)SYSTEM_CALL3(SYS_gettid, 0, 0, 0); }
static int32_t id_at(size_t offset) { return *(const int32_t *)(thread_block() + offset); }

/* glibc's own block points to itself twice, so it can be read to its end. */
static bool is_of_glibc(void) {
  const uint64_t *words = (const uint64_t *)thread_block();
  return words[0] == thread_block() && words[2] == thread_block();
}

/* After a fork past libc the field holds the parent's id, and is not found. */
void thread_block_prepare(void) {
  uint64_t limit[2];
  bool known = SYSTEM_CALL4(SYS_prlimit64, 0, RLIMIT_STACK, 0, limit) == 0 && limit[0] < LARGEST_FIRST_STACK;
  first_stack_bytes = known ? limit[0] : LARGEST_FIRST_STACK;
  int32_t id = id_by_kernel();
  id_offset = 0;
  for (size_t at = FIRST_FIELD; is_of_glibc() && at < BLOCK_BYTES && id_offset == 0; at += sizeof id) {
    if (id_at(at) == id) id_offset = at;
  }
}

int32_t thread_block_id_of(uint64_t block) { return id_offset == 0 ? 0 : *(const int32_t *)(block + id_offset); }

int32_t thread_block_id(void) { return id_offset != 0 && is_of_glibc() ? id_at(id_offset) : id_by_kernel(); }

/* The kernel keeps other mappings out of the first stack's limit (mmap_base). */
static bool find_first_stack(uint64_t *low, uint64_t *high) {
  if (&__libc_stack_end == NULL || __libc_stack_end == NULL) return false;
  *high = ((uint64_t)__libc_stack_end & ~(PAGE - 1)) + PAGE;
  *low = *high - first_stack_bytes;
  return true;
}

bool thread_block_stack(bool is_first, uint64_t *low, uint64_t *high) {
  if (is_first) return find_first_stack(low, high);
  const uint64_t *words = (const uint64_t *)thread_block();
  for (size_t i = 0; is_of_glibc() && i + 1 < BLOCK_BYTES / sizeof *words; i++) {
    uint64_t start = words[i], bytes = words[i + 1];
    if (start < LEAST_ADDRESS || start >= thread_block() || bytes > LARGEST_STACK) continue;
    if (start + bytes <= thread_block() || start + bytes - thread_block() > MOST_BEHIND) continue;
    *low = start;
    *high = thread_block();
    return true;
  }
  return false;
}
