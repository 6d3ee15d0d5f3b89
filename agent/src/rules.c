#include "rules.h"

#include "code-x64.h"
#include "pc-cache.h"
#include "registers-x64.h"

#define OP_BREG_FP (0x70 + REGISTER_FP)
#define OP_DEREF 0x06

/* Through a window even where another image lies: a stale word may lead into one that another thread is unloading. */
static bool follows_call(struct walker *walker, uint64_t return_address) {
  uint64_t start = return_address - CODE_CALL_BYTES;
  if (modules_keep_code(start, CODE_CALL_BYTES)) return code_follows_call((const uint8_t *)start);
  uint32_t available;
  const uint8_t *before = peek_bytes(&walker->code_window, start, CODE_CALL_BYTES, &available);
  return available != 0 && code_follows_call(before);
}

bool rules_is_plausible(struct walker *walker, const struct cursor *at) {
  if (at->address >> 47 != 0 || at->address < 4096) return false;
  /* Walks came by before: no need to look at the code, which costs a system call. */
  if (pc_cache_get(at->address, walker->epoch) != RULE_NONE) return true;
  if (!at->was_called || follows_call(walker, at->address + 1)) return true;
  struct image image;
  return modules_find(at->address, &image) && cfi_find(&image, at->address, &walker->cfi) && walker->cfi.is_signal_frame;
}

bool rules_is_pushed_root(struct walker *walker, const struct cursor *at) {
  struct image image;
  uint64_t target = at->address + 1;
  if (!modules_find(target, &image)) return false;
  if (!cfi_find(&image, target, &walker->cfi)) return modules_is_loader(&image);
  return walker->cfi.row.registers[walker->cfi.return_column].how == CFI_UNDEFINED || walker->cfi.function_start == target;
}

/* "breg_fp N; deref": the form for a CFA that a function with an aligned stack keeps below its frame pointer. */
static bool is_word_at_fp(struct cfi_expression expression, int32_t *offset) {
  if (expression.length < 3 || expression.length > 4 || expression.code[0] != OP_BREG_FP || expression.code[expression.length - 1] != OP_DEREF) return false;
  uint32_t value = expression.code[1] & 0x7f, bits = 7;
  if (expression.length == 4) value |= (expression.code[2] & 0x7f) << 7, bits = 14;
  *offset = (int32_t)(value << (32 - bits)) >> (32 - bits);
  return (expression.code[expression.length - 2] & 0x80) == 0;
}

static bool is_at_fp_itself(const struct cfi_place *place) {
  return place->how == CFI_AT_EXPRESSION && place->expression.length == 2 && place->expression.code[0] == OP_BREG_FP && place->expression.code[1] == 0;
}

/* The common rows in short; others are interpreted each time. */
static rule rule_of_row(const struct cfi_work *work) {
  const struct cfi_row *row = &work->row;
  const struct cfi_place *pc = &row->registers[work->return_column], *fp = &row->registers[REGISTER_FP];
  if (pc->how == CFI_UNDEFINED) return rule_make(RULE_ROOT, 0, 0);
  bool is_plain = !work->is_signal_frame && pc->how == CFI_AT_OFFSET && pc->value == -8 && row->registers[REGISTER_SP].how == CFI_SAME;
  if (!is_plain) return rule_make(RULE_FULL, 0, 0);
  int32_t offset;
  if (row->cfa_expression.code != NULL) {
    bool is_aligned = is_word_at_fp(row->cfa_expression, &offset) && is_at_fp_itself(fp);
    return is_aligned ? rule_make(RULE_FP_ALIGNED, offset, 0) : rule_make(RULE_FULL, 0, 0);
  }
  int32_t words = fp->how == CFI_AT_OFFSET ? fp->value / 8 : 0;
  bool fits = (fp->how == CFI_SAME || (fp->how == CFI_AT_OFFSET && fp->value % 8 == 0 && words != 0)) && words == (int16_t)words;
  bool knows_base = row->cfa_register == REGISTER_SP || row->cfa_register == REGISTER_FP;
  if (!fits || !knows_base) return rule_make(RULE_FULL, 0, 0);
  return rule_make(row->cfa_register == REGISTER_SP ? RULE_SP : RULE_FP, row->cfa_offset, (int16_t)words);
}

/* A frame whose caller is looked for without tables. */
struct guess {
  struct walker *walker;
  const struct stack_bounds *stack;
  const struct cursor *at;
};

static bool leads_to_a_call(const struct guess *guess, rule r, uint64_t alignment) {
  uint64_t cfa;
  struct cursor caller;
  if (!cursor_apply(r, guess->stack, guess->at, &cfa, &caller) || cfa % alignment != 0) return false;
  return rules_is_plausible(guess->walker, &caller);
}

/* At a call the stack is aligned, as the ABI demands. */
static bool is_accepted(void *context, rule by_epilogue) {
  const struct guess *guess = context;
  return leads_to_a_call(guess, by_epilogue, guess->at->was_called ? 16 : 8);
}

/*
 * Without tables. The way to the epilogue is right for frames without a frame pointer too, which compilers at run time
 * make for small functions; but in other code than RyuJIT's what looks like an epilogue need not be one. So a guess
 * counts only when it leads to a return address.
 */
static rule guess(struct walker *walker, const struct stack_bounds *stack, const struct cursor *at, bool is_static_code) {
  struct guess guess = {walker, stack, at};
  rule by_fp = code_rule_by_frame_pointer();
  if (is_static_code && leads_to_a_call(&guess, by_fp, 8)) return by_fp;
  rule by_epilogue = code_rule_by_epilogue(&walker->code_window, at->address + at->was_called, is_accepted, &guess);
  if (by_epilogue != RULE_NONE) return by_epilogue;
  if (!is_static_code && leads_to_a_call(&guess, by_fp, 8)) return by_fp;
  return RULE_NONE;
}

rule rules_find(struct walker *walker, const struct stack_bounds *stack, const struct cursor *at) {
  struct image image;
  if (!modules_find(at->address, &image)) return guess(walker, stack, at, false);
  modules_note(&image);
  if (cfi_find(&image, at->address, &walker->cfi)) return rule_of_row(&walker->cfi);
  if (modules_is_loader(&image)) return rule_make(RULE_ROOT, 0, 0);
  return guess(walker, stack, at, true);
}
