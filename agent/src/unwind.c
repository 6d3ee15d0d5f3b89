#include "unwind.h"

#include <stddef.h>
#include <string.h>

#include "layout.h"
#include "pc-cache.h"
#include "registers-x64.h"
#include "rules.h"

/* Marks of a frame, in `reserved` and below a step's CFA, which is a multiple of 8. */
#define USES_FP 1u
/** Its caller was found by more than the rule says: never taken over from the walk before. */
#define OPAQUE 2u
/** A signal came in it. */
#define INTERRUPTED 4u
#define MARKS ((uint64_t)7)

/* In one of so many walks of a thread all guessed rules are found anew: code made at run time may have been replaced unnoticed. */
#define WALKS_PER_DOUBT 4096

struct walk {
  struct walker *walker;
  struct stack_bounds stack;
  uint64_t epoch;
  uint32_t count;
  /** What of the walk before may still be found again: its innermost frames up to here are passed. */
  uint32_t candidates;
  bool in_doubt;
  uint64_t start_sp;
};

static inline void push_step(struct walk *walk, uint64_t pc, uint64_t marked_cfa, uint64_t fp, uint64_t fp_slot) {
  struct unwind_step *step = &walk->walker->steps[walk->count++];
  step->pc = pc;
  step->marked_cfa = marked_cfa;
  step->trail.fp = fp;
  step->trail.fp_slot = fp_slot;
}

static inline uint32_t marks_of(rule r) {
  enum rule_kind kind = rule_kind(r);
  return kind == RULE_FULL ? OPAQUE : kind == RULE_FP || kind == RULE_FP_ALIGNED ? USES_FP : 0;
}

static bool load(void *context, uint64_t address, uint64_t *value) {
  return stack_load(context, address, value);
}

/* Whether all frames from `last` outward are as the walk before left them. sp, fp and the fp's place: where this walk came upon `last`. */
static bool outer_stands(const struct walk *walk, uint32_t last, uint64_t sp, uint64_t last_fp, uint64_t last_fp_slot) {
  struct walker *walker = walk->walker;
  const struct unwind_frame *frames = walker->frames;
  for (uint32_t i = last;; i--) {
    struct unwind_trail *trail = &walker->trails[i];
    if (frames[i].reserved & USES_FP) {
      bool is_inherited = trail->fp_slot < sp;
      uint64_t fp = last_fp;
      if (!is_inherited && !stack_load(&walk->stack, trail->fp_slot, &fp)) return false;
      if (fp != trail->fp) return false;
      if (is_inherited) trail->fp_slot = last_fp_slot;
    }
    if (i == 0) return true;
    uint64_t return_address;
    if ((frames[i].reserved & OPAQUE) || !stack_load(&walk->stack, frames[i].cfa - 8, &return_address)) return false;
    if (return_address != frames[i - 1].pc) return false;
  }
}

/* Number of outermost frames of the walk before that this one, come to a frame with this CFA, goes on with; 0: none. */
static inline uint32_t find_again(struct walk *walk, uint64_t pc, uint64_t cfa, uint64_t sp, uint64_t fp, uint64_t fp_slot) {
  const struct unwind_frame *frames = walk->walker->frames;
  uint32_t candidates = walk->candidates;
  while (candidates > 0 && frames[candidates - 1].cfa < cfa) candidates--;
  walk->candidates = candidates;
  if (candidates == 0 || frames[candidates - 1].cfa != cfa || frames[candidates - 1].pc != pc) return 0;
  return outer_stands(walk, candidates - 1, sp, fp, fp_slot) ? candidates : 0;
}

/*
 * The registers of the frame at the cursor, all of them that can be known: the walk is done once more from this very
 * function, by tables alone. For the few frames whose CFA is kept in another register than sp and fp.
 */
static __attribute__((noinline)) bool all_registers(struct walk *walk, const struct cursor *wanted, struct cfi_registers *registers) {
  struct stack_bounds stack = walk->stack;
  struct cursor at = {.was_called = false};
  struct image image;
  registers_capture(registers);
  stack.low = registers->values[REGISTER_SP];
  for (uint32_t i = 0; i < UNWIND_MAX_DEPTH; i++) {
    at.address = registers->values[REGISTER_PC] - at.was_called;
    at.sp = registers->values[REGISTER_SP];
    at.fp = registers->values[REGISTER_FP];
    if (at.sp == wanted->sp && at.address == wanted->address) return true;
    if (modules_find(at.address, &image) && cfi_find(&image, at.address, &walk->walker->cfi)) {
      at.was_called = !walk->walker->cfi.is_signal_frame;
      if (cfi_step(&walk->walker->cfi, registers, load, &stack) != CFI_DONE) return false;
      if (!(registers->known >> REGISTER_PC & 1)) return false;
      continue;
    }
    struct cursor next;
    uint64_t cfa;
    rule r = rules_find(walk->walker, &stack, &at);
    if (rule_kind(r) == RULE_NONE || rule_kind(r) >= RULE_ROOT || !cursor_apply(r, &stack, &at, &cfa, &next)) return false;
    at.was_called = true;
    registers->known = 1u << REGISTER_PC | 1u << REGISTER_SP | 1u << REGISTER_FP;
    registers->values[REGISTER_PC] = next.address + 1;
    registers->values[REGISTER_SP] = next.sp;
    registers->values[REGISTER_FP] = next.fp;
  }
  return false;
}

/* RULE_FULL: signal frames, and CFAs in unusual registers. */
static bool step_fully(struct walk *walk, const struct cursor *at, uint64_t *cfa, struct cursor *to) {
  struct cfi_work *work = &walk->walker->cfi;
  struct cfi_registers registers = {.known = 1u << REGISTER_PC | 1u << REGISTER_SP | 1u << REGISTER_FP};
  registers.values[REGISTER_PC] = at->address + at->was_called;
  registers.values[REGISTER_SP] = at->sp;
  registers.values[REGISTER_FP] = at->fp;
  struct image image;
  if (!modules_find(at->address, &image) || !cfi_find(&image, at->address, work)) return false;
  enum cfi_result result = cfi_step(work, &registers, load, &walk->stack);
  if (result == CFI_NEEDS_REGISTER) {
    if (!all_registers(walk, at, &registers) || !cfi_find(&image, at->address, work)) return false;
    result = cfi_step(work, &registers, load, &walk->stack);
  }
  uint32_t needed = 1u << REGISTER_PC | 1u << REGISTER_FP;
  if (result != CFI_DONE || (registers.known & needed) != needed) return false;
  to->was_called = !work->is_signal_frame;
  to->address = registers.values[REGISTER_PC] - to->was_called;
  to->sp = *cfa = registers.values[REGISTER_SP];
  to->fp = registers.values[REGISTER_FP];
  to->fp_slot = 0;
  return true;
}

/* Loads may be direct from a stack pointer on the thread's stack up to that stack's end. */
static void set_bounds(struct walk *walk, uint64_t sp) {
  bool is_own = sp >= walk->walker->stack_low && sp < walk->walker->stack_high;
  walk->stack.low = is_own ? sp : UINT64_MAX;
  walk->stack.high = is_own ? walk->walker->stack_high : sizeof(uint64_t);
  walk->candidates = is_own ? walk->candidates : 0;
}

static inline bool step(struct walk *walk, rule r, const struct cursor *at, uint64_t *cfa, struct cursor *to) {
  if (LIKELY(rule_kind(r) < RULE_ROOT)) return cursor_apply(r, &walk->stack, at, cfa, to);
  return step_fully(walk, at, cfa, to);
}

/*
 * A rule for an address that is not remembered. When the address cannot be a return address, the rule that led here may
 * belong to code that is gone: that is found anew, and if it changed, `back` is true and the walk must go one step back.
 */
static __attribute__((noinline)) rule learn(struct walk *walk, const struct cursor *at, const struct cursor *inner, bool *back) {
  *back = false;
  if (walk->count > 0 && !rules_is_plausible(walk->walker, at)) {
    rule old = pc_cache_get(inner->address, walk->epoch);
    rule now = rules_find(walk->walker, &walk->stack, inner);
    if (now != RULE_NONE && now != old) {
      pc_cache_put(inner->address, walk->epoch, now);
      *back = true;
      return now;
    }
    return rules_is_pushed_root(walk->walker, at) ? rule_make(RULE_ROOT, 0, 0) : RULE_NONE;
  }
  rule r = rules_find(walk->walker, &walk->stack, at);
  if (r != RULE_NONE) pc_cache_put(at->address, walk->epoch, r);
  return r;
}

/* Code made at run time can be replaced by other code whose frames look plausible too: now and then a rule is put to the test. */
static __attribute__((noinline)) rule doubt(struct walk *walk, const struct cursor *at, rule r) {
  rule now = rules_find(walk->walker, &walk->stack, at);
  if (now == RULE_NONE || now == r) return r;
  pc_cache_put(at->address, walk->epoch, now);
  return now;
}

/* Where the walk stood before it came to its newest frame. */
static struct cursor cursor_before(const struct walk *walk) {
  const struct unwind_step *step = &walk->walker->steps[walk->count - 1];
  return (struct cursor){
      .address = step->pc - 1,
      .sp = walk->count > 1 ? step[-1].marked_cfa & ~MARKS : walk->start_sp,
      .fp = step->trail.fp,
      .fp_slot = step->trail.fp_slot,
      .was_called = !(step->marked_cfa & INTERRUPTED),
  };
}

/*
 * A frame that is not simply a remembered rule to be applied: not met before, a root, or in need of more than sp and fp.
 * False ends the walk. Kept apart, with all it needs in memory, so that the common way runs in registers.
 */
static __attribute__((noinline)) bool step_slowly(struct walk *walk, struct cursor *at, uint32_t *flags) {
  rule r = pc_cache_get(at->address, walk->epoch);
  if (r == RULE_NONE) {
    struct cursor inner = walk->count > 0 ? cursor_before(walk) : *at;
    bool back;
    r = learn(walk, at, &inner, &back);
    if (back) {
      *at = inner;
      walk->count--;
    }
  } else if (walk->in_doubt && (r & RULE_GUESSED)) {
    r = doubt(walk, at, r);
  }
  uint64_t cfa = at->sp + 8;
  struct cursor next = *at;
  bool is_root = rule_kind(r) == RULE_ROOT;
  if (r == RULE_NONE || (!is_root && !step(walk, r, at, &cfa, &next))) return *flags = STACK_BROKEN, false;
  push_step(walk, at->address + 1, cfa | marks_of(r) | (at->was_called ? 0 : INTERRUPTED), at->fp, at->fp_slot);
  if (is_root) return false;
  if (rule_kind(r) == RULE_FULL) set_bounds(walk, next.sp);
  *at = next;
  return true;
}

/* Walks until the root, or a frame of the walk before from which on nothing changed: their number is returned. */
static uint32_t walk_outward(struct walk *walk, const struct unwind_registers *start, uint32_t *flags) {
  uint64_t address = start->pc - 1, sp = start->sp, fp = start->fp, fp_slot = 0;
  bool was_called = true;
  while (walk->count < UNWIND_MAX_DEPTH) {
    if (UNLIKELY(address == UINT64_MAX)) return 0; /* a return address of 0 is a root too */
    rule r = pc_cache_get(address, walk->epoch);
    bool is_common = r != RULE_NONE && rule_kind(r) < RULE_ROOT && !(walk->in_doubt && (r & RULE_GUESSED));
    uint64_t cfa, next_fp = fp, next_fp_slot = fp_slot, return_address;
    if (LIKELY(is_common) && LIKELY(rule_apply(r, &walk->stack, sp, &cfa, &return_address, &next_fp, &next_fp_slot))) {
      uint32_t kept = walk->candidates == 0 ? 0 : find_again(walk, address + 1, cfa, sp, fp, fp_slot);
      if (kept > 0) return kept;
      push_step(walk, address + 1, cfa | marks_of(r) | (was_called ? 0 : INTERRUPTED), fp, fp_slot);
      address = return_address - 1;
      sp = cfa;
      fp = next_fp;
      fp_slot = next_fp_slot;
      was_called = true;
    } else {
      struct cursor at = {address, sp, fp, fp_slot, was_called};
      if (!step_slowly(walk, &at, flags)) return 0;
      address = at.address;
      sp = at.sp;
      fp = at.fp;
      fp_slot = at.fp_slot;
      was_called = at.was_called;
    }
  }
  return *flags = STACK_TRUNCATED, 0;
}

/* Puts the new frames, innermost first in `steps`, in front of the kept ones. */
static void put_frames(struct walker *walker, uint32_t kept, uint32_t count) {
  uint32_t depth = kept + count;
  walker->depth = 0; /* a signal handler that never comes back leaves no half of a stack */
  for (uint32_t i = 0; i < count; i++) {
    const struct unwind_step *step = &walker->steps[i];
    struct unwind_frame *frame = &walker->frames[depth - 1 - i];
    frame->pc = step->pc;
    frame->cfa = step->marked_cfa & ~MARKS;
    frame->reserved = step->marked_cfa & MARKS;
    walker->trails[depth - 1 - i] = step->trail;
  }
  walker->depth = depth;
}

uint32_t unwind(struct walker *walker, const struct unwind_registers *start, uint32_t *flags) {
  uint64_t epoch = atomic_load_explicit(&pc_cache_epoch, memory_order_relaxed);
  bool in_doubt = ++walker->walks % WALKS_PER_DOUBT == 0;
  bool may_find_again = walker->flags == 0 && walker->epoch == epoch && !in_doubt;
  struct walk walk = {
      .walker = walker, .epoch = epoch, .candidates = may_find_again ? walker->depth : 0, .in_doubt = in_doubt, .start_sp = start->sp, .stack.window = &walker->stack_window};
  walker->epoch = epoch;
  walker->stack_window.length = 0;
  walker->code_window.length = 0;
  set_bounds(&walk, start->sp);
  *flags = 0;
  uint32_t kept = walk_outward(&walk, start, flags);
  if (kept + walk.count > UNWIND_MAX_DEPTH) { /* the outermost give way */
    walk.candidates = kept = 0;
    walk.count = 0;
    set_bounds(&walk, start->sp);
    walk_outward(&walk, start, flags);
  }
  put_frames(walker, kept, walk.count);
  walker->flags = *flags;
  return kept;
}

void unwind_start(void) {
  peek_start();
  modules_reset();
  pc_cache_forget();
}

void unwind_images_changed(void) {
  if (modules_refresh()) pc_cache_forget();
}

uint32_t unwind_code_epoch(void) { return (uint32_t)(atomic_load(&pc_cache_epoch) / PC_CACHE_EPOCH_STEP); }
