#include "thread.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define POLL_NS 50000
/* linux/errno.h: how a system call says to the kernel's own exit path that it was interrupted and how to go on. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514


uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_ns(uint64_t ns) {
  struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
  nanosleep(&time, NULL);
}

static bool read_state(struct thread *thread) {
  struct iovec vectors = {thread->vectors, sizeof thread->vectors};
  if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &thread->registers) != 0) return false;
  if (ptrace(PTRACE_GETREGSET, thread->tid, (void *)NT_X86_XSTATE, &vectors) != 0) return false;
  thread->vector_bytes = vectors.iov_len;
  return ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof thread->signal_mask, &thread->signal_mask) == 0;
}

/* Otherwise a signal was on its way to the thread: that comes first. */
static bool is_ours(int status) { return status >> 16 == PTRACE_EVENT_STOP; }

enum thread_hold thread_hold(pid_t tid, uint64_t deadline, struct thread *thread) {
  thread->tid = tid;
  thread->signal = 0;
  /* No option: when we end, the kernel lets the thread go on as it is. */
  if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) return errno == ESRCH ? THREAD_GONE : THREAD_REFUSED;
  int status = 0;
  pid_t stopped = 0;
  ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
  while ((stopped = waitpid(tid, &status, __WALL | WNOHANG)) == 0) {
    if (monotonic_ns() > deadline) return THREAD_STUCK;
    sleep_ns(POLL_NS);
  }
  if (stopped < 0 || !WIFSTOPPED(status)) return THREAD_GONE;
  if (!is_ours(status)) thread->signal = WSTOPSIG(status);
  thread->is_stopped = WSTOPSIG(status) != SIGTRAP;
  if (thread->signal == 0 && read_state(thread)) return THREAD_HELD;
  thread_release(thread);
  return THREAD_GONE;
}

bool thread_poke_code(const struct thread *thread, uint64_t address, const void *bytes, size_t count) {
  const uint8_t *from = bytes;
  for (size_t done = 0; done < count; done += sizeof(long)) {
    long word;
    size_t part = count - done < sizeof word ? count - done : sizeof word;
    errno = 0;
    if (part < sizeof word) word = ptrace(PTRACE_PEEKDATA, thread->tid, (void *)(address + done), NULL);
    if (errno != 0) return false;
    memcpy(&word, from + done, part);
    if (ptrace(PTRACE_POKEDATA, thread->tid, (void *)(address + done), (void *)word) != 0) return false;
  }
  return true;
}

static bool set_registers(const struct thread *thread, const struct user_regs_struct *registers) {
  return ptrace(PTRACE_SETREGS, thread->tid, NULL, registers) == 0;
}

static bool set_mask(const struct thread *thread, uint64_t mask) {
  return ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof mask, &mask) == 0;
}

/* The mask last: it stays on its own, and what undoes it lies where the registers lead. */
bool thread_send(const struct thread *thread, const struct user_regs_struct *registers, uint64_t mask) {
  return set_registers(thread, registers) && set_mask(thread, mask);
}

bool thread_restore(const struct thread *thread, const struct user_regs_struct *registers) {
  struct iovec vectors = {(void *)thread->vectors, thread->vector_bytes};
  return ptrace(PTRACE_SETREGSET, thread->tid, (void *)NT_X86_XSTATE, &vectors) == 0 && set_mask(thread, thread->signal_mask) &&
         set_registers(thread, registers);
}

void thread_release(const struct thread *thread) { ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)(long)thread->signal); }

static bool was_interrupted(long result) {
  return result == -EINTR || (result <= -ERESTARTSYS && result >= -THREAD_CONTINUES_BY_KERNEL);
}

long thread_interrupted_call(const struct thread *thread) {
  long number = (long)thread->registers.orig_rax;
  return number >= 0 && was_interrupted((long)thread->registers.rax) ? number : -1;
}

bool thread_loses_wait(const struct thread *thread) {
  return thread_interrupted_call(thread) >= 0 && (long)thread->registers.rax == -EINTR;
}

struct user_regs_struct thread_begun_again(const struct thread *thread) {
  struct user_regs_struct registers = thread->registers;
  registers.rax = registers.orig_rax;
  registers.rip -= THREAD_CALL_BYTES;
  return registers;
}
