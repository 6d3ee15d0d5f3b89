/* What x86-64 code itself tells about the frame of a function for which no tables exist: code made at run time. */
#ifndef MEMSURGE_CODE_X64_H
#define MEMSURGE_CODE_X64_H

#include <stdbool.h>
#include <stdint.h>

#include "peek.h"
#include "rule.h"

/** Bytes before a return address that a call instruction can take. */
#define CODE_CALL_BYTES 7

/** Whether the CODE_CALL_BYTES bytes before a return address end in a near call: E8, or FF /2 in any of its forms. */
bool code_follows_call(const uint8_t *before);

/** Whether a rule that was found leads to what can be a caller. */
typedef bool code_accepts(void *context, rule);

/**
 * The rule of the code at `pc`, from its way to the next epilogue: what is released and popped until `ret` or a tail
 * call. The way is looked for along the function's branches; the first epilogue whose rule is accepted counts. RULE_NONE
 * when there is none near.
 */
rule code_rule_by_epilogue(struct peek_window *, uint64_t pc, code_accepts *, void *context);

/** The rule of a function that keeps a frame pointer. */
rule code_rule_by_frame_pointer(void);

#endif
