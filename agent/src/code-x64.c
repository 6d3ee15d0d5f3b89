#include "code-x64.h"

#include "length-x64.h"

/* What is looked at of a function: more than that and the search costs more than it is worth. */
#define MOST_INSTRUCTIONS 2048
#define MOST_BRANCHES 48
#define LONGEST_INSTRUCTION 15

enum { RSP = 4, RBP = 5 };

/* FF /2 whose ModRM starts `length - 1` bytes before the end, and whose ModRM, SIB and displacement take exactly these. */
static bool is_indirect_call(const uint8_t *end, uint32_t length) {
  const uint8_t *code = end - length;
  if (code[0] != 0xFF || (code[1] & 0x38) != 0x10) return false;
  uint8_t mod = code[1] >> 6, rm = code[1] & 7;
  uint32_t taken = 2;
  if (mod != 3 && rm == 4) taken += 1;
  if (mod == 1) taken += 1;
  if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && length > 2 && (code[2] & 7) == 5)))) taken += 4;
  return taken == length;
}

bool code_follows_call(const uint8_t *before) {
  const uint8_t *end = before + CODE_CALL_BYTES;
  if (end[-5] == 0xE8) return true;
  for (uint32_t length = 2; length <= CODE_CALL_BYTES; length++) {
    if (is_indirect_call(end, length)) return true;
  }
  return false;
}

rule code_rule_by_frame_pointer(void) { return rule_make(RULE_FP | RULE_GUESSED, 16, -2); }

/* The frame as the code seen so far leaves it. */
struct effect {
  /** Released since the start, or since the stack pointer was set from the frame pointer. */
  int32_t released;
  bool from_fp;
  bool has_fp;
  /** `released` at the pop of rbp. */
  int32_t fp_at;
  /** The last instruction took part in an epilogue: a jump now leaves the function. */
  bool in_epilogue;
};

enum verdict {
  GO_ON,
  /** An epilogue's end. */
  DONE,
  /** Nothing comes after it: a call that does not return was before, or this is no code of the function. */
  LOST,
  /** Goes to its target, and perhaps on: conditional. */
  BRANCHES,
  /** Goes to its target only. */
  JUMPS,
};

static bool is_memory_operand_of(const struct x64_instruction *in, uint8_t base) {
  uint8_t mod = in->modrm >> 6, rm = in->modrm & 7;
  if (mod == 3 || (in->rex & 1)) return false;
  if (base == RSP) return rm == 4 && in->sib == 0x24 && !(in->rex & 2);
  return rm == base && mod != 0;
}

static bool is_register_pair(const struct x64_instruction *in, uint8_t reg, uint8_t rm) {
  return in->modrm == (0xC0 | reg << 3 | rm) && in->rex == 8;
}

/* Nonsense wraps around: it leads to no caller. */
static void release(struct effect *effect, uint32_t bytes) { effect->released = (int32_t)((uint32_t)effect->released + bytes); }

static enum verdict set_sp_from_fp(struct effect *effect, int32_t displacement) {
  effect->from_fp = true;
  effect->has_fp = false;
  effect->released = displacement;
  effect->in_epilogue = true;
  return GO_ON;
}

static enum verdict pop(struct effect *effect, uint8_t reg) {
  if (reg == RSP) return LOST;
  if (reg == RBP) {
    effect->has_fp = true;
    effect->fp_at = effect->released;
  }
  release(effect, 8);
  effect->in_epilogue = true;
  return GO_ON;
}

/* 81 and 83 on rsp: add and sub; `and` and others make its value unknown. */
static enum verdict adjust_sp(struct effect *effect, const struct x64_instruction *in) {
  uint8_t operation = in->modrm >> 3 & 7;
  if (operation == 7) return GO_ON;
  if (operation != 0 && operation != 5) return LOST;
  release(effect, operation == 0 ? (uint32_t)in->immediate : -(uint32_t)in->immediate);
  effect->in_epilogue = operation == 0;
  return GO_ON;
}

static enum verdict load_address(struct effect *effect, const struct x64_instruction *in) {
  uint8_t target = in->modrm >> 3 & 7;
  if (in->rex & 4) return GO_ON;
  if (target == RSP) {
    if (is_memory_operand_of(in, RBP)) return set_sp_from_fp(effect, in->displacement);
    if (!is_memory_operand_of(in, RSP)) return LOST;
    release(effect, (uint32_t)in->displacement);
    effect->in_epilogue = in->displacement > 0;
  } else if (target == RBP && is_memory_operand_of(in, RSP)) {
    return LOST; /* another function's start: this one ended without an epilogue */
  }
  return GO_ON;
}

static enum verdict move(struct effect *effect, const struct x64_instruction *in) {
  bool to_rm = in->opcode == 0x89;
  if (is_register_pair(in, to_rm ? RBP : RSP, to_rm ? RSP : RBP)) return set_sp_from_fp(effect, 0);
  if (is_register_pair(in, to_rm ? RSP : RBP, to_rm ? RBP : RSP)) return LOST; /* mov rbp, rsp: as above */
  uint8_t target = to_rm ? in->modrm & 7 : in->modrm >> 3 & 7;
  bool extended = in->rex & (to_rm ? 1 : 4);
  bool writes_register = !to_rm || in->modrm >= 0xC0;
  return writes_register && target == RSP && !extended ? LOST : GO_ON;
}

static enum verdict follow(struct effect *effect, const struct x64_instruction *in) {
  bool was_in_epilogue = effect->in_epilogue;
  if (in->vector) return in->map == X64_MAP_0F && in->opcode == 0x77 ? GO_ON : (effect->in_epilogue = false, GO_ON);
  effect->in_epilogue = false;
  if (in->map == X64_MAP_0F) return in->opcode == 0x0B ? LOST /* ud2 */ : (in->opcode & 0xF0) == 0x80 ? BRANCHES : GO_ON;
  if (in->map != X64_MAP_ONE) return GO_ON;
  uint8_t opcode = in->opcode, extension = in->modrm >> 3 & 7;
  if (opcode >= 0x50 && opcode <= 0x57) return release(effect, -8u), GO_ON;
  if ((opcode & 0xF0) == 0x70) return BRANCHES;
  if (opcode >= 0x58 && opcode <= 0x5F) return pop(effect, (uint8_t)((opcode & 7) | (in->rex & 1) << 3));
  switch (opcode) {
    case 0x81:
    case 0x83: return in->modrm >= 0xC0 && (in->modrm & 7) == RSP && !(in->rex & 1) ? adjust_sp(effect, in) : GO_ON;
    case 0x89:
    case 0x8B: return move(effect, in);
    case 0x8D: return load_address(effect, in);
    case 0xC9: return set_sp_from_fp(effect, 0), pop(effect, RBP);
    case 0x68:
    case 0x6A: return release(effect, -8u), GO_ON;
    case 0xC2:
    case 0xC3: return DONE;
    case 0xE9:
    case 0xEB: return was_in_epilogue ? DONE : JUMPS;
    case 0xE0:
    case 0xE1:
    case 0xE2:
    case 0xE3: return BRANCHES;
    case 0xFF:
      if (extension == 6) release(effect, -8u);
      if (extension == 4) return was_in_epilogue ? DONE : LOST; /* a switch: where it goes is not known */
      return GO_ON;
    case 0xCC:
    case 0xF4: return LOST; /* int3, hlt: after a call that does not return */
    default: return GO_ON;
  }
}

static rule rule_of(const struct effect *effect) {
  int64_t cfa = (int64_t)effect->released + 8;
  if (effect->from_fp && !effect->has_fp) return RULE_NONE;
  if (!effect->from_fp && cfa < 8) return RULE_NONE;
  int64_t fp_words = effect->has_fp ? (effect->fp_at - cfa) / 8 : 0;
  if (cfa != (int32_t)cfa || fp_words != (int16_t)fp_words || cfa % 8 != 0) return RULE_NONE;
  return rule_make((effect->from_fp ? RULE_FP : RULE_SP) | RULE_GUESSED, (int32_t)cfa, (int16_t)fp_words);
}

/* Where the function may go on, and its frame there. */
struct branch {
  uint64_t at;
  struct effect effect;
};

/* The branches met so far; those from `next` on are still to be followed. */
struct search {
  struct branch branches[MOST_BRANCHES];
  uint32_t count, next;
};

static void note(struct search *search, uint64_t at, const struct effect *effect) {
  for (uint32_t i = 0; i < search->count; i++) {
    if (search->branches[i].at == at) return;
  }
  if (search->count < MOST_BRANCHES) search->branches[search->count++] = (struct branch){at, *effect};
}

static bool decode_at(struct peek_window *window, uint64_t at, struct x64_instruction *instruction) {
  uint32_t available;
  const uint8_t *code = peek_bytes(window, at, LONGEST_INSTRUCTION, &available);
  if (available == 0) code = peek_bytes(window, at, 1, &available); /* the end of the mapping */
  return x64_decode(code, available, instruction);
}

rule code_rule_by_epilogue(struct peek_window *window, uint64_t pc, code_accepts *accepts, void *context) {
  struct search search = {.branches[0].at = pc, .count = 1};
  uint32_t instructions = 0;
  while (search.next < search.count) {
    struct branch here = search.branches[search.next++];
    for (bool goes_on = true; goes_on && instructions < MOST_INSTRUCTIONS; instructions++) {
      struct x64_instruction instruction;
      if (!decode_at(window, here.at, &instruction)) break;
      uint64_t after = here.at + instruction.length, target = after + (uint64_t)(int64_t)instruction.immediate;
      enum verdict verdict = follow(&here.effect, &instruction);
      here.at = after;
      if (verdict == BRANCHES) note(&search, target, &here.effect);
      if (verdict == JUMPS) {
        /* What lies behind it is mostly this function's too, with the same frame. */
        note(&search, target, &here.effect);
        note(&search, after, &here.effect);
      }
      if (verdict == DONE) {
        rule found = rule_of(&here.effect);
        if (found != RULE_NONE && accepts(context, found)) return found;
      }
      goes_on = verdict == GO_ON || verdict == BRANCHES;
    }
  }
  return RULE_NONE;
}
