#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif
#define MOST_FILTERS 64

/* A filter that refuses one of these by an error does no harm: whoever calls it bears that. */
static const int needed[] = {
    SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_newfstatat, SYS_lseek, SYS_pread64, SYS_openat, SYS_readlinkat, SYS_unlinkat,
    SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_brk, SYS_madvise, SYS_ftruncate, SYS_fallocate, SYS_ioctl, SYS_prlimit64,
    SYS_getpid, SYS_getppid, SYS_gettid, SYS_geteuid, SYS_tgkill, SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_prctl,
    SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_membarrier, SYS_process_vm_readv, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_ppoll, SYS_clock_gettime, SYS_getrandom, SYS_exit,
};

static struct seccomp_data call_of(int number) {
  struct seccomp_data call = {.nr = number, .arch = AUDIT_ARCH_X86_64};
  if (number == SYS_clone) {
    call.args[0] = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  }
  if (number == SYS_prctl) call.args[0] = PR_SET_NAME;
  return call;
}

/* Only these arguments are known. */
static bool is_known(int number, uint32_t offset) {
  bool is_argument = offset >= offsetof(struct seccomp_data, args);
  bool has_known = number == SYS_clone || number == SYS_prctl;
  return !is_argument || (has_known && offset < offsetof(struct seccomp_data, args) + sizeof(uint64_t));
}

static bool jumps(uint16_t code, uint32_t value, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ: return value == operand;
    case BPF_JGT: return value > operand;
    case BPF_JGE: return value >= operand;
    default: return (value & operand) != 0;
  }
}

/* What one filter says (seccomp(2), classic BPF); SECCOMP_RET_KILL_PROCESS where that hangs on what is not known. */
static uint32_t verdict(const struct sock_filter *code, size_t count, const struct seccomp_data *call) {
  uint32_t value = 0;
  for (size_t at = 0; at < count; at++) {
    const struct sock_filter *step = &code[at];
    switch (step->code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step->k > sizeof *call - sizeof value || !is_known(call->nr, step->k)) return SECCOMP_RET_KILL_PROCESS;
        memcpy(&value, (const uint8_t *)call + step->k, sizeof value);
        break;
      case BPF_ALU | BPF_AND | BPF_K: value &= step->k; break;
      case BPF_JMP | BPF_JA: at += step->k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JSET | BPF_K:
        at += jumps(step->code, value, step->k) ? step->jt : step->jf;
        break;
      case BPF_RET | BPF_K: return step->k & SECCOMP_RET_ACTION_FULL;
      default: return SECCOMP_RET_KILL_PROCESS;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

static bool is_deadly(const struct sock_filter *code, size_t count) {
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
    struct seccomp_data call = call_of(needed[i]);
    uint32_t action = verdict(code, count, &call);
    if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_ERRNO) return true;
  }
  return false;
}

bool thread_has_deadly_filter(const struct thread *thread) {
  static struct sock_filter code[BPF_MAXINSNS];
  for (long i = 0; i < MOST_FILTERS; i++) {
    long count = ptrace(PTRACE_SECCOMP_GET_FILTER, thread->tid, (void *)i, NULL);
    if (count < 0 && errno == ENOENT) return i == 0;
    if (count < 0 || count > BPF_MAXINSNS || ptrace(PTRACE_SECCOMP_GET_FILTER, thread->tid, (void *)i, code) != count) return true;
    if (is_deadly(code, (size_t)count)) return true;
  }
  return true;
}
