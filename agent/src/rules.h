/* Finds the rule of a code address that was not met before: from tables, else from the code, else by convention. */
#ifndef MEMSURGE_RULES_H
#define MEMSURGE_RULES_H

#include "peek.h"
#include "rule.h"
#include "unwind.h"

/** Where a walk stands. */
struct cursor {
  /** Of the instruction that is under way: a return address minus 1, or where a signal came. */
  uint64_t address;
  uint64_t sp, fp;
  /** Where fp was loaded from, 0: nowhere yet. */
  uint64_t fp_slot;
  /** The walk came here over a return address. */
  bool was_called;
};

/** A word of a stack; memory outside of the thread's own stack costs a system call per KiB. */
struct stack_bounds {
  uint64_t low, high;
  struct peek_window *window;
};
static inline bool stack_load(const struct stack_bounds *stack, uint64_t address, uint64_t *value) {
  if (__builtin_expect(address >= stack->low && address <= stack->high - sizeof *value, 1)) {
    *value = *(const uint64_t *)address;
    return true;
  }
  return peek_word(stack->window, address, value);
}

/**
 * Where the caller is, by a rule other than RULE_FULL and RULE_ROOT: from a frame's sp and fp, and where that fp was
 * loaded from, to its CFA, its return address, and the caller's fp and its place. False when that cannot be.
 */
static inline bool rule_apply(rule r, const struct stack_bounds *stack, uint64_t sp, uint64_t *cfa, uint64_t *return_address, uint64_t *fp,
                              uint64_t *fp_slot) {
  uint64_t old_fp = *fp, place = *cfa = (rule_kind(r) == RULE_SP ? sp : old_fp) + (uint64_t)rule_offset(r);
  if (__builtin_expect(rule_kind(r) == RULE_FP_ALIGNED, 0)) {
    if (!stack_load(stack, place, cfa)) return false;
    place = old_fp;
  } else {
    place += (uint64_t)rule_fp_bytes(r);
  }
  if (*cfa <= sp || (*cfa & 7) != 0 || !stack_load(stack, *cfa - 8, return_address)) return false;
  if (place == *cfa) return true; /* unchanged */
  *fp_slot = place;
  return stack_load(stack, place, fp);
}

/** The same from cursor to cursor. */
static inline bool cursor_apply(rule r, const struct stack_bounds *stack, const struct cursor *at, uint64_t *cfa, struct cursor *to) {
  uint64_t return_address, fp = at->fp, fp_slot = at->fp_slot;
  if (!rule_apply(r, stack, at->sp, cfa, &return_address, &fp, &fp_slot)) return false;
  *to = (struct cursor){.address = return_address - 1, .sp = *cfa, .fp = fp, .fp_slot = fp_slot, .was_called = true};
  return true;
}

/** The rule at the cursor. RULE_NONE when nothing leads to a plausible caller. Notes the image in the store. */
rule rules_find(struct walker *, const struct stack_bounds *, const struct cursor *);

/** Whether the word at the cursor is the start of a function that has no caller, put there by makecontext and the like. */
bool rules_is_pushed_root(struct walker *, const struct cursor *);

/** Whether the word at the cursor can be a return address: a call lies before it, or it is a signal handler's. */
bool rules_is_plausible(struct walker *, const struct cursor *);

#endif
