/* How to get from a frame to its caller's, for one code address, in 64 bits. */
#ifndef MEMSURGE_RULE_H
#define MEMSURGE_RULE_H

#include <stdint.h>

/* The return address lies just below the CFA, but for RULE_FULL. */
enum rule_kind {
  RULE_NONE,
  /** CFA = sp + offset. */
  RULE_SP,
  /** CFA = fp + offset. */
  RULE_FP,
  /** CFA = word at fp + offset, and the caller's fp is the word at fp: a function that aligned its stack. */
  RULE_FP_ALIGNED,
  /** There is no caller. */
  RULE_ROOT,
  /** Anything else: the call frame information is interpreted each time. */
  RULE_FULL,
};

/** Found from code bytes or by convention, not from the compiler's own tables. */
#define RULE_GUESSED 0x100u

/** kind and flags: bits 0-15; place of the caller's fp relative to the CFA in words, 0 when unchanged: 16-31; offset: 32-63. */
typedef uint64_t rule;

static inline rule rule_make(uint32_t kind, int32_t offset, int16_t fp_words) {
  return (uint64_t)(uint32_t)offset << 32 | (uint64_t)(uint16_t)fp_words << 16 | kind;
}
static inline enum rule_kind rule_kind(rule r) { return (enum rule_kind)(r & 0xff); }
static inline int64_t rule_offset(rule r) { return (int32_t)(r >> 32); }
static inline int64_t rule_fp_bytes(rule r) { return (int64_t)(int16_t)(r >> 16) * 8; }

#endif
