/*
 * Call frame information: the compilers' tables of how to leave a function, as they lie in memory for C++ exceptions.
 * Sources: DWARF 5, 6.4 (instructions) and 2.5 (expressions); Linux Standard Base Core 5.0, 10.6 (.eh_frame, .eh_frame_hdr).
 */
#ifndef MEMSURGE_CFI_H
#define MEMSURGE_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"

/** Registers 0 .. 15 are the processor's in DWARF's numbering, 16 is the return address's column on x86-64. */
#define CFI_REGISTERS 17
#define CFI_REMEMBERED 8

enum cfi_how {
  /** Unchanged; for registers that a call destroys: unknown. */
  CFI_SAME,
  CFI_UNDEFINED,
  /** At CFA + value. */
  CFI_AT_OFFSET,
  /** Is CFA + value. */
  CFI_IS_OFFSET,
  /** In the register `value`. */
  CFI_IN_REGISTER,
  /** At, or is, what the expression yields. */
  CFI_AT_EXPRESSION,
  CFI_IS_EXPRESSION,
};

struct cfi_expression {
  const uint8_t *code;
  uint32_t length;
};

struct cfi_place {
  enum cfi_how how;
  int32_t value;
  struct cfi_expression expression;
};

/** How to find the caller's registers at one address. */
struct cfi_row {
  /** CFA = register + offset, or what an expression yields (its code is not NULL). */
  struct cfi_expression cfa_expression;
  uint32_t cfa_register;
  int32_t cfa_offset;
  struct cfi_place registers[CFI_REGISTERS];
};

/** Room for one look-up: too much for the stack of a signal handler. */
struct cfi_work {
  struct cfi_row row;
  struct cfi_row initial;
  struct cfi_row remembered[CFI_REMEMBERED];
  /** Where the function begins, and whether its caller was interrupted rather than called it. */
  uint64_t function_start;
  bool is_signal_frame;
  uint32_t return_column;
};

/** Fills `work->row` with what holds at `address`. False when the image has no (readable) entry for it. */
bool cfi_find(const struct image *, uint64_t address, struct cfi_work *work);

struct cfi_registers {
  uint64_t values[CFI_REGISTERS];
  /** Bit per register. */
  uint32_t known;
};

/** Loads a word of the stack; false when it cannot be read. */
typedef bool cfi_load(void *context, uint64_t address, uint64_t *value);

enum cfi_result { CFI_DONE, CFI_FAILED, CFI_NEEDS_REGISTER };

/** Value of an expression; `first` is pushed before it starts unless NULL. */
enum cfi_result cfi_evaluate(struct cfi_expression, const struct cfi_registers *, const uint64_t *first, cfi_load *, void *context,
                             uint64_t *value);

/**
 * From the registers of a frame to those of its caller, by work->row. The stack pointer becomes the CFA; column 16 the
 * return address, not known when the frame is a thread's outermost one.
 */
enum cfi_result cfi_step(const struct cfi_work *, struct cfi_registers *, cfi_load *, void *context);

#endif
