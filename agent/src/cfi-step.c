/* Expressions, and the step from a frame to its caller by a row of call frame information. */
#include <string.h>

#include "cfi.h"
#include "registers-x64.h"

#define STACK_WORDS 32

struct evaluation {
  const uint8_t *at, *end;
  const struct cfi_registers *registers;
  uint64_t stack[STACK_WORDS];
  uint32_t depth;
  enum cfi_result result;
};

static void fail(struct evaluation *e, enum cfi_result result) {
  if (e->result == CFI_DONE) e->result = result;
  e->at = e->end;
}

static void push(struct evaluation *e, uint64_t value) {
  if (e->depth == STACK_WORDS) fail(e, CFI_FAILED);
  else e->stack[e->depth++] = value;
}

static uint64_t pop(struct evaluation *e) {
  if (e->depth == 0) return fail(e, CFI_FAILED), 0;
  return e->stack[--e->depth];
}

static uint64_t pick(struct evaluation *e, uint32_t from_top) {
  if (from_top >= e->depth) return fail(e, CFI_FAILED), 0;
  return e->stack[e->depth - 1 - from_top];
}

static uint64_t number(struct evaluation *e, uint32_t bytes, bool is_signed) {
  uint64_t value = 0;
  if (e->end - e->at < (long)bytes) return fail(e, CFI_FAILED), 0;
  memcpy(&value, e->at, bytes);
  e->at += bytes;
  if (is_signed && bytes < 8 && value >> (bytes * 8 - 1)) value |= ~(uint64_t)0 << (bytes * 8);
  return value;
}

static uint64_t leb(struct evaluation *e, bool is_signed) {
  uint64_t value = 0;
  for (uint32_t shift = 0; e->at < e->end;) {
    uint8_t byte = *e->at++;
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
    if (byte & 0x80) continue;
    if (is_signed && shift < 64 && (byte & 0x40)) value |= ~(uint64_t)0 << shift;
    return value;
  }
  return fail(e, CFI_FAILED), 0;
}

static uint64_t reg(struct evaluation *e, uint64_t which) {
  if (which >= CFI_REGISTERS) return fail(e, CFI_FAILED), 0;
  if (!(e->registers->known >> which & 1)) return fail(e, CFI_NEEDS_REGISTER), 0;
  return e->registers->values[which];
}

enum {
  OP_ADDR = 0x03, OP_DEREF = 0x06, OP_CONST1U = 0x08, OP_CONST1S, OP_CONST2U, OP_CONST2S, OP_CONST4U, OP_CONST4S, OP_CONST8U, OP_CONST8S,
  OP_CONSTU, OP_CONSTS, OP_DUP, OP_DROP, OP_OVER, OP_PICK, OP_SWAP, OP_ROT, OP_ABS = 0x19, OP_AND, OP_DIV, OP_MINUS, OP_MOD, OP_MUL,
  OP_NEG, OP_NOT, OP_OR, OP_PLUS, OP_PLUS_UCONST, OP_SHL, OP_SHR, OP_SHRA, OP_XOR, OP_BRA, OP_EQ, OP_GE, OP_GT, OP_LE, OP_LT, OP_NE,
  OP_SKIP, OP_LIT0, OP_BREG0 = 0x70, OP_BREGX = 0x92, OP_DEREF_SIZE = 0x94, OP_NOP = 0x96,
};

static uint64_t binary(struct evaluation *e, uint8_t op, uint64_t a, uint64_t b) {
  int64_t left = (int64_t)a, right = (int64_t)b;
  switch (op) {
    case OP_AND: return a & b;
    case OP_DIV: return right == 0 || (right == -1 && left == INT64_MIN) ? (fail(e, CFI_FAILED), 0) : (uint64_t)(left / right);
    case OP_MINUS: return a - b;
    case OP_MOD: return b == 0 ? (fail(e, CFI_FAILED), 0) : a % b;
    case OP_MUL: return a * b;
    case OP_OR: return a | b;
    case OP_PLUS: return a + b;
    case OP_SHL: return b < 64 ? a << b : 0;
    case OP_SHR: return b < 64 ? a >> b : 0;
    case OP_SHRA: return (uint64_t)(left >> (b < 64 ? b : 63));
    case OP_XOR: return a ^ b;
    case OP_EQ: return left == right;
    case OP_GE: return left >= right;
    case OP_GT: return left > right;
    case OP_LE: return left <= right;
    case OP_LT: return left < right;
    default: return left != right;
  }
}

static void branch(struct evaluation *e, int64_t distance, const uint8_t *start) {
  if (distance < start - e->at || distance > e->end - e->at) fail(e, CFI_FAILED);
  else e->at += distance;
}

static void deref(struct evaluation *e, uint32_t bytes, cfi_load *load, void *context) {
  uint64_t value = 0;
  if (bytes == 0 || bytes > 8 || !load(context, pop(e), &value)) return fail(e, CFI_FAILED);
  push(e, bytes == 8 ? value : value & (((uint64_t)1 << bytes * 8) - 1));
}

static void execute(struct evaluation *e, uint8_t op, const uint8_t *start, cfi_load *load, void *context) {
  uint64_t a, b;
  if (op >= OP_LIT0 && op < OP_LIT0 + 32) return push(e, op - OP_LIT0);
  if (op >= OP_BREG0 && op < OP_BREG0 + 32) {
    a = reg(e, op - OP_BREG0);
    return push(e, a + leb(e, true));
  }
  switch (op) {
    case OP_NOP: return;
    case OP_ADDR:
    case OP_CONST8U:
    case OP_CONST8S: return push(e, number(e, 8, false));
    case OP_CONST1U: return push(e, number(e, 1, false));
    case OP_CONST1S: return push(e, number(e, 1, true));
    case OP_CONST2U: return push(e, number(e, 2, false));
    case OP_CONST2S: return push(e, number(e, 2, true));
    case OP_CONST4U: return push(e, number(e, 4, false));
    case OP_CONST4S: return push(e, number(e, 4, true));
    case OP_CONSTU: return push(e, leb(e, false));
    case OP_CONSTS: return push(e, leb(e, true));
    case OP_DUP: return push(e, pick(e, 0));
    case OP_DROP: pop(e); return;
    case OP_OVER: return push(e, pick(e, 1));
    case OP_PICK: return push(e, pick(e, (uint32_t)number(e, 1, false)));
    case OP_SWAP: b = pop(e); a = pop(e); push(e, b); return push(e, a);
    case OP_ROT: {
      uint64_t top = pop(e), second = pop(e), third = pop(e);
      push(e, top);
      push(e, third);
      return push(e, second);
    }
    case OP_ABS: a = pop(e); return push(e, (int64_t)a < 0 ? -a : a);
    case OP_NEG: return push(e, -pop(e));
    case OP_NOT: return push(e, ~pop(e));
    case OP_PLUS_UCONST: a = pop(e); return push(e, a + leb(e, false));
    case OP_DEREF: return deref(e, 8, load, context);
    case OP_DEREF_SIZE: return deref(e, (uint32_t)number(e, 1, false), load, context);
    case OP_BREGX: a = reg(e, leb(e, false)); return push(e, a + leb(e, true));
    case OP_SKIP: return branch(e, (int16_t)number(e, 2, false), start);
    case OP_BRA:
      a = number(e, 2, false);
      if (pop(e) != 0) branch(e, (int16_t)a, start);
      return;
    case OP_AND: case OP_DIV: case OP_MINUS: case OP_MOD: case OP_MUL: case OP_OR: case OP_PLUS: case OP_SHL: case OP_SHR:
    case OP_SHRA: case OP_XOR: case OP_EQ: case OP_GE: case OP_GT: case OP_LE: case OP_LT: case OP_NE:
      b = pop(e);
      a = pop(e);
      return push(e, binary(e, op, a, b));
    default: return fail(e, CFI_FAILED);
  }
}

enum cfi_result cfi_evaluate(struct cfi_expression expression, const struct cfi_registers *registers, const uint64_t *first, cfi_load *load,
                             void *context, uint64_t *value) {
  struct evaluation e = {.at = expression.code, .end = expression.code + expression.length, .registers = registers};
  if (first != NULL) push(&e, *first);
  for (uint32_t steps = 0; e.at < e.end; steps++) {
    if (steps == 1000) fail(&e, CFI_FAILED); /* a loop */
    else execute(&e, *e.at++, expression.code, load, context);
  }
  *value = pop(&e);
  return e.result;
}

static enum cfi_result find_cfa(const struct cfi_row *row, const struct cfi_registers *from, cfi_load *load, void *context, uint64_t *cfa) {
  if (row->cfa_expression.code != NULL) return cfi_evaluate(row->cfa_expression, from, NULL, load, context, cfa);
  if (row->cfa_register >= CFI_REGISTERS) return CFI_FAILED;
  if (!(from->known >> row->cfa_register & 1)) return CFI_NEEDS_REGISTER;
  *cfa = from->values[row->cfa_register] + (uint64_t)(int64_t)row->cfa_offset;
  return CFI_DONE;
}

/* Value of one register in the caller; `known` false: it has none that can be told. */
static enum cfi_result restore(const struct cfi_place *place, uint32_t which, uint64_t cfa, const struct cfi_registers *from, cfi_load *load,
                               void *context, uint64_t *value, bool *known) {
  uint64_t address = cfa + (uint64_t)(int64_t)place->value;
  enum cfi_result result = CFI_DONE;
  *known = true;
  switch (place->how) {
    case CFI_SAME:
      *known = CALLEE_SAVED >> which & from->known >> which & 1;
      *value = from->values[which];
      return CFI_DONE;
    case CFI_UNDEFINED: *known = false; return CFI_DONE;
    case CFI_IS_OFFSET: *value = address; return CFI_DONE;
    case CFI_IN_REGISTER:
      if (place->value < 0 || place->value >= CFI_REGISTERS) return CFI_FAILED;
      *known = from->known >> place->value & 1;
      *value = from->values[place->value];
      return CFI_DONE;
    case CFI_IS_EXPRESSION: return cfi_evaluate(place->expression, from, &cfa, load, context, value);
    case CFI_AT_EXPRESSION: result = cfi_evaluate(place->expression, from, &cfa, load, context, &address); break;
    case CFI_AT_OFFSET: break;
  }
  if (result != CFI_DONE) return result;
  return load(context, address, value) ? CFI_DONE : CFI_FAILED;
}

enum cfi_result cfi_step(const struct cfi_work *work, struct cfi_registers *registers, cfi_load *load, void *context) {
  const struct cfi_row *row = &work->row;
  struct cfi_registers from = *registers, to = {.known = 0};
  uint64_t cfa;
  enum cfi_result result = find_cfa(row, &from, load, context, &cfa);
  if (result != CFI_DONE) return result;
  for (uint32_t i = 0; i < CFI_REGISTERS; i++) {
    bool known = false;
    result = restore(&row->registers[i], i, cfa, &from, load, context, &to.values[i], &known);
    bool matters = i == REGISTER_FP || i == work->return_column;
    if (result != CFI_DONE && matters) return result;
    if (result == CFI_DONE && known) to.known |= 1u << i;
  }
  if (row->registers[REGISTER_SP].how == CFI_SAME) to.values[REGISTER_SP] = cfa;
  to.known |= 1u << REGISTER_SP;
  to.values[REGISTER_PC] = to.values[work->return_column];
  *registers = to;
  return CFI_DONE;
}
