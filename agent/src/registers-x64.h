/* The registers of x86-64 in DWARF's numbering (System V ABI, AMD64 supplement, figure 3.36), and how to read our own. */
#ifndef MEMSURGE_REGISTERS_X64_H
#define MEMSURGE_REGISTERS_X64_H

#include "cfi.h"

enum { REGISTER_BX = 3, REGISTER_FP = 6, REGISTER_SP = 7, REGISTER_PC = 16 };

/** Registers that a function hands back as it found them: rbx, rbp, r12 .. r15. */
#define CALLEE_SAVED (1u << REGISTER_BX | 1u << REGISTER_FP | 0xfu << 12)

/** Those that the caller of this function still needs, where it is used. */
static inline __attribute__((always_inline)) void registers_capture(struct cfi_registers *to) {
  __asm__ volatile(
      "movq %%rbx, %0\n\tmovq %%rbp, %1\n\tmovq %%rsp, %2\n\tmovq %%r12, %3\n\tmovq %%r13, %4\n\tmovq %%r14, %5\n\tmovq %%r15, %6\n\t"
      "leaq 0f(%%rip), %%rax\n0:\n\tmovq %%rax, %7"
      : "=m"(to->values[3]), "=m"(to->values[6]), "=m"(to->values[7]), "=m"(to->values[12]), "=m"(to->values[13]), "=m"(to->values[14]),
        "=m"(to->values[15]), "=m"(to->values[16])
      :
      : "rax", "memory");
  to->known = CALLEE_SAVED | 1u << REGISTER_SP | 1u << REGISTER_PC;
}

#endif
