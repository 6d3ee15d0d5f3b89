/* A signal frame, as the kernel lays one and rt_sigreturn(2) takes it: registers that a thread can give itself. */
#ifndef INJECT_FRAME_H
#define INJECT_FRAME_H

#include "thread.h"

/** linux/x86: struct ucontext, with struct sigcontext in it. */
struct frame {
  uint64_t flags;
  uint64_t link;
  uint64_t alternate_stack;
  uint32_t alternate_flags, reserved;
  uint64_t alternate_bytes;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
  uint64_t eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error, trap, old_mask, fault;
  /** Address of the vector registers, 64-byte aligned. */
  uint64_t vectors;
  uint64_t reserved_words[8];
  uint64_t mask;
};

/** Bytes that the vector registers take in memory, at most. */
#define FRAME_MOST_VECTOR_BYTES (THREAD_MOST_VECTOR_BYTES + 4)

/**
 * The frame that takes `thread` back to where it is, and its vector registers for `vectors`, where they will lie at
 * `vectors_at`. A wait that was interrupted is begun again where that can be had without the kernel's memory of it, and
 * else ends with EINTR. Returns how many bytes of `vectors` count.
 */
size_t frame_make(const struct thread *thread, uint64_t vectors_at, struct frame *frame, uint8_t *vectors);

/** The word in which cs, gs, fs and ss of a 64-bit thread lie in a frame: hardly anything else looks like it. */
#define FRAME_SEGMENTS 0x002b000000000033u

#endif
