#include "sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "arch.h"
#include "memory.h"

#define MAX_FILTERS 32
#define SCRATCH_WORDS 16

/* Newer ones ask the older ones too, so all are kept. They hold for children made by fork as well. */
struct filter {
  const struct sock_filter *code;
  uint32_t length;
};
static struct filter filters[MAX_FILTERS];
static _Atomic uint32_t filter_count;
static _Atomic bool gave_up_all, gave_up_tsc, holds_for_all, clock_is_coarse;
_Atomic bool sandbox_is_known;

/* PR_GET_SECCOMP at the start. */
static long mode_at_start;

static uint32_t load(const struct seccomp_data *data, uint32_t offset) {
  uint32_t word = 0;
  if (offset <= sizeof *data - sizeof word) memcpy(&word, (const char *)data + offset, sizeof word);
  return word;
}

static uint32_t compute(uint16_t operation, uint32_t a, uint32_t b) {
  switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b == 0 ? 0 : a / b;
    case BPF_AND: return a & b;
    case BPF_OR: return a | b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return b < 32 ? a << b : 0;
    case BPF_RSH: return b < 32 ? a >> b : 0;
    default: return 0 - a; /* BPF_NEG */
  }
}

static bool holds(uint16_t comparison, uint32_t a, uint32_t b) {
  switch (comparison) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return (a & b) != 0; /* BPF_JSET */
  }
}

/*
 * What a filter returns for a call: classic BPF with what kernel/seccomp.c lets through of it (seccomp_check_filter).
 * Jumps go forward only, so it ends. Code that the kernel would refuse counts as a refusal.
 */
static uint32_t ask(const struct filter *filter, const struct seccomp_data *data) {
  uint32_t a = 0, x = 0, scratch[SCRATCH_WORDS] = {0};
  for (uint64_t at = 0; at < filter->length; at++) {
    const struct sock_filter *in = &filter->code[at];
    uint32_t operand = BPF_SRC(in->code) == BPF_X ? x : in->k;
    bool is_index = in->k < SCRATCH_WORDS;
    switch (BPF_CLASS(in->code)) {
      case BPF_LD:
      case BPF_LDX: {
        uint16_t mode = BPF_MODE(in->code);
        uint32_t value = mode == BPF_ABS ? load(data, in->k) : mode == BPF_LEN ? sizeof *data : mode == BPF_IMM ? in->k : is_index ? scratch[in->k] : 0;
        *(BPF_CLASS(in->code) == BPF_LD ? &a : &x) = value;
        break;
      }
      case BPF_ST:
      case BPF_STX:
        if (is_index) scratch[in->k] = BPF_CLASS(in->code) == BPF_ST ? a : x;
        break;
      case BPF_ALU: a = compute(BPF_OP(in->code), a, operand); break;
      case BPF_JMP:
        if (BPF_OP(in->code) == BPF_JA) at += in->k;
        else at += holds(BPF_OP(in->code), a, operand) ? in->jt : in->jf;
        break;
      case BPF_RET: return BPF_RVAL(in->code) == BPF_A ? a : in->k;
      case BPF_MISC:
        if (BPF_MISCOP(in->code) == BPF_TAX) x = a;
        else a = x;
        break;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

static bool lets_through(const struct filter *filter, long number, const long arguments[6]) {
  struct seccomp_data data = {.nr = (int)number, .arch = ARCH_AUDIT};
  for (int i = 0; i < 6; i++) data.args[i] = (uint64_t)arguments[i];
  uint32_t action = ask(filter, &data) & SECCOMP_RET_ACTION_FULL;
  return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

bool sandbox_allows(long number, const long arguments[6]) {
  if (atomic_load(&gave_up_all)) return false;
  uint32_t count = atomic_load(&filter_count);
  for (uint32_t i = 0; i < count; i++) {
    if (!lets_through(&filters[i], number, arguments)) return false;
  }
  return true;
}

long sandbox_call(long number, long a, long b, long c, long d, long e, long f) {
  const long arguments[6] = {a, b, c, d, e, f};
  return sandbox_allows(number, arguments) ? system_call(number, a, b, c, d, e, f) : -EPERM_RESULT;
}

static bool allows_all(const struct filter *filter, const long (*calls)[7], uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (!lets_through(filter, calls[i][0], &calls[i][1])) return false;
  }
  return true;
}
#define COUNT(array) (sizeof(array) / sizeof *(array))

bool sandbox_will_allow_growth(const struct sock_fprog *program) {
  static const long growth[][7] = {
      {SYS_mremap, 4096, 4096, 8192},
      {SYS_madvise, 4096, 4096, MADV_POPULATE_WRITE},
  };
  if (program == NULL) return false;
  struct filter filter = {program->filter, program->len};
  return allows_all(&filter, growth, COUNT(growth));
}

static bool keep(const struct sock_fprog *program) {
  uint32_t count = atomic_load(&filter_count);
  if (count == MAX_FILTERS) return false;
  size_t bytes = program->len * sizeof *program->filter;
  struct sock_filter *code = memory_map(bytes, MEMORY_KEPT);
  if (code == NULL) return false;
  memcpy(code, program->filter, bytes);
  filters[count] = (struct filter){code, program->len};
  atomic_store(&filter_count, count + 1);
  return true;
}

/* The vDSO's clock reads the time stamp counter or, with other clock sources, makes the call; its coarse clock never does either. */
static void choose_clock(void) {
  static const long clock[6] = {CLOCK_MONOTONIC};
  if (atomic_load(&gave_up_tsc) || !sandbox_allows(SYS_clock_gettime, clock)) atomic_store(&clock_is_coarse, true);
}

void sandbox_enter(const struct sock_fprog *program, bool for_all) {
  if (program == NULL) atomic_store(&gave_up_tsc, true); /* seccomp_set_mode_strict: disable_TSC */
  if (program == NULL || !keep(program)) atomic_store(&gave_up_all, true);
  if (for_all) atomic_store(&holds_for_all, true);
  choose_clock();
  atomic_store(&sandbox_is_known, true);
}

void sandbox_give_up_tsc(void) {
  atomic_store(&gave_up_tsc, true);
  choose_clock();
}

bool sandbox_clock_is_coarse(void) { return atomic_load_explicit(&clock_is_coarse, memory_order_relaxed); }

bool sandbox_spares_others(void) { return !atomic_load(&holds_for_all); }

void sandbox_note_start(void) {
  if (!atomic_load(&sandbox_is_known)) mode_at_start = SYSTEM_CALL3(SYS_prctl, PR_GET_SECCOMP, 0, 0);
}

bool sandbox_allows_start(void) {
  static const long start[][7] = {
      {SYS_openat, AT_FDCWD, 4096, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600},
      {SYS_openat, AT_FDCWD, 4096, O_RDONLY | O_CLOEXEC},
      {SYS_ftruncate, 3, 4096},
      {SYS_mmap, 4096, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3},
      {SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1},
      {SYS_madvise, 4096, 4096, MADV_DONTFORK},
      {SYS_madvise, 4096, 4096, MADV_WIPEONFORK},
      {SYS_madvise, 4096, 4096, MADV_POPULATE_WRITE},
      {SYS_close, 3},
  };
  if (!atomic_load(&sandbox_is_known)) return SYSTEM_CALL3(SYS_prctl, PR_GET_SECCOMP, 0, 0) == mode_at_start;
  for (uint32_t i = 0; i < COUNT(start); i++) {
    if (!sandbox_allows(start[i][0], &start[i][1])) return false;
  }
  return true;
}
