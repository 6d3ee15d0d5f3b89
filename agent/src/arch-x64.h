/* What depends on the processor, for x86-64 Linux. Included by arch.h only. */

/** A system call without libc: no errno, no cancellation point, no hook. Returns the kernel's value, -errno on failure. */
static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline void cpu_relax(void) { __asm__ volatile("pause"); }

/** Registers of the caller of the function that uses it, which must be a real function with a frame of its own. */
#define CALLER_REGISTERS()                                                                                             \
  ((struct unwind_registers){                                                                                          \
      .pc = (uint64_t)__builtin_return_address(0),                                                                     \
      .sp = (uint64_t)__builtin_frame_address(0) + 16,                                                                 \
      .fp = *(uint64_t *)__builtin_frame_address(0),                                                                   \
  })

/** Relocations that fill a word with a function's address (System V ABI, AMD64 supplement, table 4.9): for calls, for taken addresses, in data. */
#define ARCH_RELOC_CALL R_X86_64_JUMP_SLOT
#define ARCH_RELOC_ADDRESS R_X86_64_GLOB_DAT
#define ARCH_RELOC_WORD R_X86_64_64

/** e_machine of programs that can load the agent. */
#define ARCH_ELF EM_X86_64
/** Of a filter's view of a call (linux/audit.h). */
#define ARCH_AUDIT AUDIT_ARCH_X86_64
