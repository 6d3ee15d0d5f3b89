#include "frame.h"

#include <cpuid.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct frame, cs) == 184, "struct ucontext");
_Static_assert(offsetof(struct frame, vectors) == 224, "struct ucontext");
_Static_assert(sizeof(struct frame) == 304, "struct ucontext");

/* asm/ucontext.h, asm/sigcontext.h. */
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
/* Where the XSAVE area (Intel SDM 1, 13.4) leaves room for software, and its header's word of components in use. */
#define SOFTWARE_BYTES_AT 464
#define COMPONENTS_AT 512
#define LEGACY_BYTES 576
#define LEGACY_COMPONENTS 3u
/* No flag that the kernel knows: it then leaves the alternate stack as it is. */
#define KEEP_ALTERNATE_STACK 0x4000

struct software_bytes {
  uint32_t magic, extended_bytes;
  uint64_t components;
  uint32_t bytes, padding[7];
};

/* Up to the last component that is in use: the kernel resets the others. */
static size_t bytes_of(uint64_t components, size_t most) {
  size_t bytes = LEGACY_BYTES;
  for (unsigned i = 2; i < 63; i++) {
    unsigned size, offset, unused, more;
    if ((components >> i & 1) == 0 || !__get_cpuid_count(0xd, i, &size, &offset, &unused, &more)) continue;
    if (offset + size > bytes) bytes = offset + size;
  }
  return bytes < most ? bytes : most;
}

static size_t lay_vectors(const struct thread *thread, uint8_t *vectors) {
  uint64_t components;
  memcpy(&components, thread->vectors + COMPONENTS_AT, sizeof components);
  size_t bytes = bytes_of(components, thread->vector_bytes);
  struct software_bytes software = {
      .magic = FP_XSTATE_MAGIC1,
      .extended_bytes = (uint32_t)bytes + 4,
      .components = components | LEGACY_COMPONENTS,
      .bytes = (uint32_t)bytes,
  };
  uint32_t magic = FP_XSTATE_MAGIC2;
  memcpy(vectors, thread->vectors, bytes);
  memcpy(vectors + SOFTWARE_BYTES_AT, &software, sizeof software);
  memcpy(vectors + bytes, &magic, sizeof magic);
  return bytes + sizeof magic;
}

size_t frame_make(const struct thread *thread, uint64_t vectors_at, struct frame *frame, uint8_t *vectors) {
  bool by_kernel_memory = (long)thread->registers.rax == -THREAD_CONTINUES_BY_KERNEL;
  bool begins_again = thread_interrupted_call(thread) >= 0 && !by_kernel_memory;
  struct user_regs_struct registers = begins_again ? thread_begun_again(thread) : thread->registers;
  const struct user_regs_struct *from = &registers;
  if (by_kernel_memory && thread_interrupted_call(thread) >= 0) registers.rax = (unsigned long)-EINTR;
  *frame = (struct frame){
      .flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
      .alternate_flags = KEEP_ALTERNATE_STACK,
      .r8 = from->r8, .r9 = from->r9, .r10 = from->r10, .r11 = from->r11,
      .r12 = from->r12, .r13 = from->r13, .r14 = from->r14, .r15 = from->r15,
      .rdi = from->rdi, .rsi = from->rsi, .rbp = from->rbp, .rbx = from->rbx,
      .rdx = from->rdx, .rax = from->rax, .rcx = from->rcx, .rsp = from->rsp, .rip = from->rip,
      .eflags = from->eflags,
      .cs = (uint16_t)from->cs, .ss = (uint16_t)from->ss,
      .vectors = vectors_at,
      .mask = thread->signal_mask,
  };
  return lay_vectors(thread, vectors);
}
