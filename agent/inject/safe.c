#include "safe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frame.h"

/* What loading takes of a stack, with the largest frame: measured 14 KiB. */
#define STACK_NEEDED (64 << 10)
/* The main thread's stack grows by itself; this much is there. */
#define STACK_THERE (40 << 10)
/* How much of a stack is searched for frames of signals. */
#define SEARCHED (256 << 10)
/* glibc's own locks, malloc's among them, and mutexes wait for this value; joins and condition variables for others. */
#define LOCK_WITH_WAITERS 2
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* linux/rseq.h and linux/ptrace.h (5.13), for older headers. */
#define GET_RSEQ_CONFIGURATION 0x420f
struct rseq_configuration {
  uint64_t address;
  uint32_t size, signature, flags, reserved;
};
#define RSEQ_SECTION_AT 8

struct call_of_thread {
  long number;
  uint64_t arguments[6];
};

static enum candidate wait_of(const struct call_of_thread *call) {
  const uint64_t *arguments = call->arguments;
  switch (call->number) {
    case SYS_futex: {
      int operation = (int)arguments[1] & FUTEX_CMD_MASK;
      bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
      return waits && (uint32_t)arguments[2] != LOCK_WITH_WAITERS ? CANDIDATE_WAITS : CANDIDATE_NONE;
    }
    case SYS_recvfrom: return arguments[3] & MSG_WAITALL ? CANDIDATE_NONE : CANDIDATE_WAITS;
    case SYS_recvmsg: return arguments[2] & MSG_WAITALL ? CANDIDATE_NONE : CANDIDATE_WAITS;
    case SYS_read: case SYS_poll: case SYS_ppoll: case SYS_select: case SYS_pselect6: case SYS_pause: case SYS_nanosleep:
    case SYS_clock_nanosleep: case SYS_accept: case SYS_accept4: case SYS_wait4: case SYS_waitid: case SYS_rt_sigsuspend:
    case SYS_restart_syscall: case SYS_mq_timedreceive: case SYS_flock: case SYS_msgrcv:
      return CANDIDATE_WAITS;
    /* signal(7): the kernel ends these with EINTR, whatever interrupts them. */
    case SYS_epoll_wait: case SYS_epoll_pwait: return (int)arguments[3] == -1 ? CANDIDATE_WAITS : CANDIDATE_WAITS_ANEW;
    case SYS_epoll_pwait2: return arguments[3] == 0 ? CANDIDATE_WAITS : CANDIDATE_WAITS_ANEW;
    case SYS_semop: return CANDIDATE_WAITS;
    case SYS_rt_sigtimedwait: return arguments[2] == 0 ? CANDIDATE_WAITS : CANDIDATE_WAITS_ANEW;
    case SYS_semtimedop: return arguments[3] == 0 ? CANDIDATE_WAITS : CANDIDATE_WAITS_ANEW;
    case SYS_io_getevents: return arguments[4] == 0 ? CANDIDATE_WAITS : CANDIDATE_WAITS_ANEW;
    default: return CANDIDATE_NONE;
  }
}

static bool read_task_file(pid_t pid, pid_t tid, const char *name, char *text, size_t capacity) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, capacity - 1);
  if (fd >= 0) close(fd);
  text[length < 0 ? 0 : length] = 0;
  return length > 0;
}

/* /proc/PID/task/TID/syscall: "running", or number, six arguments, stack pointer, program counter (proc(5)). */
enum candidate candidate_of(pid_t pid, pid_t tid) {
  char text[512];
  /* The agent's own, which another start may have to end first. */
  if (read_task_file(pid, tid, "comm", text, sizeof text) && strcmp(text, "memsurge\n") == 0) return CANDIDATE_NONE;
  if (!read_task_file(pid, tid, "syscall", text, sizeof text)) return CANDIDATE_NONE;
  if (strncmp(text, "running", 7) == 0) return CANDIDATE_RUNS;
  struct call_of_thread call;
  uint64_t *arguments = call.arguments;
  int got = sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", &call.number, &arguments[0], &arguments[1], &arguments[2], &arguments[3],
                   &arguments[4], &arguments[5]);
  if (got == 7 && call.number >= 0) return wait_of(&call);
  return CANDIDATE_NONE; /* stopped, or waits for a page */
}

static uint64_t signals_of(const char *status, const char *name) {
  const char *line = strstr(status, name);
  return line == NULL ? 0 : strtoull(line + strlen(name), NULL, 16);
}

bool thread_has_signal(pid_t pid, pid_t tid, uint64_t mask) {
  char status[8192];
  if (!read_task_file(pid, tid, "status", status, sizeof status)) return true;
  uint64_t pending = signals_of(status, "SigPnd:") | signals_of(status, "ShdPnd:");
  return (pending & ~mask) != 0;
}

/* glibc lays a thread's own data at the upper end of its stack. Fibers, goroutines and signal stacks lie elsewhere. */
static const struct mapping *own_stack(const struct program *program, const struct thread *thread) {
  const struct mapping *row = mappings_at(&program->mappings, thread->registers.rsp);
  if (row == NULL) return NULL;
  uint64_t room = thread->registers.rsp - row->start;
  if (strcmp(row->path, "[stack]") == 0) return room >= STACK_THERE ? row : NULL;
  bool is_own = thread->registers.fs_base > thread->registers.rsp && thread->registers.fs_base < row->end;
  return is_own && room >= STACK_NEEDED ? row : NULL;
}

/* The kernel laid it when it interrupted the thread for a signal, and the handler has not returned yet; or what is left of such a one. */
static bool is_interruption_in_unsafe_code(const struct program *program, const uint64_t *words, uint64_t segments_at) {
  const struct frame *frame = (const struct frame *)((const uint8_t *)words - offsetof(struct frame, cs));
  bool is_frame = frame->flags <= 7 && frame->link == 0 && frame->rsp > segments_at && mappings_at(&program->mappings, frame->rip) != NULL;
  return is_frame && !program_is_safe(program, frame->rip);
}

static bool is_in_handler(const struct program *program, const struct thread *thread, const struct mapping *stack) {
  static uint64_t words[SEARCHED / sizeof(uint64_t)];
  uint64_t from = thread->registers.rsp & ~(uint64_t)7;
  size_t bytes = stack->end - from < SEARCHED ? stack->end - from : SEARCHED;
  if (!peek(thread->tid, from, words, bytes)) return true;
  size_t first = offsetof(struct frame, cs) / sizeof *words;
  for (size_t i = first; i < bytes / sizeof *words; i++) {
    if (words[i] == FRAME_SEGMENTS && is_interruption_in_unsafe_code(program, &words[i], from + i * sizeof *words)) return true;
  }
  return false;
}

/* What the kernel would begin anew if it took the processor away (rseq(2)) must not be left and come back to. */
static bool is_in_restartable_sequence(const struct thread *thread) {
  struct rseq_configuration rseq = {0};
  uint64_t section = 0;
  if (ptrace(GET_RSEQ_CONFIGURATION, thread->tid, (void *)sizeof rseq, &rseq) < 0 || rseq.address == 0) return false;
  return !peek(thread->tid, rseq.address + RSEQ_SECTION_AT, &section, sizeof section) || section != 0;
}

static bool is_at_safe_place(const struct program *program, const struct thread *thread) {
  const struct user_regs_struct *registers = &thread->registers;
  if (thread_interrupted_call(thread) < 0) return program_is_safe(program, registers->rip) && !is_in_restartable_sequence(thread);
  struct call_of_thread call = {
      .number = (long)registers->orig_rax,
      .arguments = {registers->rdi, registers->rsi, registers->rdx, registers->r10, registers->r8, registers->r9},
  };
  return wait_of(&call) != CANDIDATE_NONE;
}

bool thread_is_safe(const struct program *program, const struct thread *thread) {
  /* Else it is 32-bit code. */
  if (thread->registers.cs != 0x33 || thread->is_stopped || !is_at_safe_place(program, thread)) return false;
  const struct mapping *stack = own_stack(program, thread);
  return stack != NULL && !is_in_handler(program, thread, stack);
}
