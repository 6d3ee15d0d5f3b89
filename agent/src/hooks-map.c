/* Hooks on the calls by which a program maps memory itself. What the allocator and the loader map does not come here. */
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>

#include "counters.h"
#include "hooks.h"
#include "maps.h"
#include "real.h"
#include "record.h"
#include "stacks.h"

#undef mmap64

static uint64_t whole_pages(uint64_t bytes) { return (bytes + LAYOUT_PAGE - 1) & ~(uint64_t)(LAYOUT_PAGE - 1); }

static uint32_t stack_for(struct thread *thread, uint64_t length, const struct unwind_registers *registers) {
  if (gate.mode == MODE_SAMPLED && length < MAPS_STACK_BYTES) return thread->root_stacks[KIND_MAPPED];
  return stacks_here(thread, KIND_MAPPED, registers);
}

static void unmapped(void *at, uint64_t length) {
  struct thread *thread = thread_enter();
  if (thread == NULL) return;
  maps_enter();
  maps_remove(thread, (uint64_t)at, length);
  maps_leave();
  thread_leave(thread);
}

/* Address space that is only reserved (PROT_NONE) is no memory: the GC alone reserves hundreds of gigabytes. */
static void mapped(void *at, uint64_t length, int protection, const struct unwind_registers *registers) {
  if (protection == PROT_NONE) {
    unmapped(at, length); /* MAP_FIXED can have replaced some */
    return;
  }
  struct thread *thread = thread_enter();
  if (thread == NULL) return;
  uint32_t stack = stack_for(thread, length, registers);
  maps_enter();
  maps_add(thread, (uint64_t)at, length, stack);
  maps_leave();
  thread_leave(thread);
}

EXPORT void *mmap(void *wish, size_t length, int protection, int flags, int fd, off_t offset) {
  void *at = real.mmap(wish, length, protection, flags, fd, offset);
  if (at != MAP_FAILED) {
    struct unwind_registers registers = CALLER_REGISTERS();
    mapped(at, whole_pages(length), protection, &registers);
  }
  return at;
}

EXPORT void *mmap64(void *wish, size_t length, int protection, int flags, int fd, off_t offset) {
  void *at = real.mmap64(wish, length, protection, flags, fd, offset);
  if (at != MAP_FAILED) {
    struct unwind_registers registers = CALLER_REGISTERS();
    mapped(at, whole_pages(length), protection, &registers);
  }
  return at;
}

/* Released first: the kernel may give the range to another thread at once. */
EXPORT int munmap(void *at, size_t length) {
  bool valid = length > 0 && (uint64_t)at % LAYOUT_PAGE == 0 && whole_pages(length) >= length;
  if (valid) unmapped(at, whole_pages(length));
  return real.munmap(at, length);
}

/* The lock is held over the call: until it returns nobody knows what becomes of either range, and it fails as a matter of course. */
static void *remap(void *old, size_t length, size_t new_length, int flags, void *wish, const struct unwind_registers *registers) {
  struct thread *thread = thread_enter();
  if (thread == NULL) return real.mremap(old, length, new_length, flags, wish);
  uint32_t stack = stack_for(thread, whole_pages(new_length), registers);
  maps_enter();
  void *at = real.mremap(old, length, new_length, flags, wish);
  if (at != MAP_FAILED) {
    bool stays = length == 0 || (flags & 4 /* MREMAP_DONTUNMAP */) != 0;
    if (!stays) maps_remove(thread, (uint64_t)old, whole_pages(length));
    maps_add(thread, (uint64_t)at, whole_pages(new_length), stack);
  }
  maps_leave();
  thread_leave(thread);
  return at;
}

EXPORT void *mremap(void *old, size_t length, size_t new_length, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  void *wish = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL;
  va_end(rest);
  struct unwind_registers registers = CALLER_REGISTERS();
  return remap(old, length, new_length, flags, wish, &registers);
}

/* Any bytes, not pages: neighbouring pieces must not overlap. */
static void break_moved(void *from, void *to, const struct unwind_registers *registers) {
  if (to > from) mapped(from, (uint64_t)to - (uint64_t)from, PROT_READ | PROT_WRITE, registers);
  else if (to < from) unmapped(to, (uint64_t)from - (uint64_t)to);
}

EXPORT int brk(void *to) {
  void *from = real.sbrk(0);
  int result = real.brk(to);
  if (result == 0) {
    struct unwind_registers registers = CALLER_REGISTERS();
    break_moved(from, to, &registers);
  }
  return result;
}

EXPORT void *sbrk(intptr_t by) {
  void *from = real.sbrk(by);
  if (from != (void *)-1 && by != 0) {
    struct unwind_registers registers = CALLER_REGISTERS();
    break_moved(from, (char *)from + by, &registers);
  }
  return from;
}
