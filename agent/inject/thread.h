/* One thread of the program, held for a moment. */
#ifndef INJECT_THREAD_H
#define INJECT_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/** The largest state of vector registers that any x64 processor has (with AMX) is 11 KiB. */
#define THREAD_MOST_VECTOR_BYTES (16 << 10)

/** linux/errno.h, ERESTART_RESTARTBLOCK: the result of an interrupted call of which the kernel remembers how to go on. */
#define THREAD_CONTINUES_BY_KERNEL 516
/** Bytes of the `syscall` instruction. */
#define THREAD_CALL_BYTES 2

/** A stopped thread with all that the kernel gives back to it when it goes on. */
struct thread {
  pid_t tid;
  struct user_regs_struct registers;
  uint64_t signal_mask;
  /** x87, SSE, AVX, …: as XSAVE lays them out. */
  uint8_t vectors[THREAD_MOST_VECTOR_BYTES] __attribute__((aligned(64)));
  size_t vector_bytes;
  /** A signal on its way to the thread, which it gets when it goes on. */
  int signal;
  /** The whole process is stopped (SIGSTOP), and stays so. */
  bool is_stopped;
};

enum thread_hold {
  THREAD_HELD,
  /** Ended, or of no use now: it is let go. */
  THREAD_GONE,
  /** We may not (errno). */
  THREAD_REFUSED,
  /** It did not stop in time. Only the end of this process lets it go. */
  THREAD_STUCK,
};

/** Stops the thread `tid` and reads its registers, before `deadline` (monotonic ns). */
enum thread_hold thread_hold(pid_t tid, uint64_t deadline, struct thread *thread);
/** Writes code into the program, where it may not write itself. */
bool thread_poke_code(const struct thread *thread, uint64_t address, const void *bytes, size_t count);
/**
 * Sends a held thread elsewhere: it goes on with `registers`, its signals masked by `mask`. Wherever we are killed, it goes on either as before or as `registers` say.
 */
bool thread_send(const struct thread *thread, const struct user_regs_struct *registers, uint64_t mask);
/** The way back: what it had, with `registers` last. Until then it goes on as it was sent. */
bool thread_restore(const struct thread *thread, const struct user_regs_struct *registers);
/** Lets it go on. */
void thread_release(const struct thread *thread);

/** Where the thread is in a system call that the stop has interrupted: its number; -1: not in one. */
long thread_interrupted_call(const struct thread *thread);
/** Whether the kernel would end the thread's interrupted wait with EINTR, whatever interrupted it (signal(7)). */
bool thread_loses_wait(const struct thread *thread);
/** The registers that begin its interrupted system call again: of a wait that nobody but us wanted to end. */
struct user_regs_struct thread_begun_again(const struct thread *thread);

uint64_t monotonic_ns(void);
void sleep_ns(uint64_t ns);

#endif
