/* What the agent keeps per thread, and the one way into its state: thread_enter … thread_leave. */
#ifndef MEMSURGE_THREADS_H
#define MEMSURGE_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate.h"
#include "index.h"
#include "layout.h"
#include "unwind.h"

enum thread_state {
  /** Not (or, in a child made by fork, no longer) known to the recording. */
  THREAD_NEW = 0,
  THREAD_IDLE,
  /** Inside the agent: what a signal handler allocates now is skipped. */
  THREAD_BUSY,
};

struct thread {
  uint32_t state;
  bool listed;
  /** All threads since the start, the newest first. */
  struct thread *next;
  /** From here on all is zeroed for a new thread or a new recording. */
  uint32_t serial;
  /** Of the gate, when the thread became known. */
  uint32_t recording;
  /** Bytes until the next sample; never above 0 in exact mode. */
  int64_t countdown;
  /** Mean with which the countdown was drawn. */
  uint64_t mean;
  uint64_t random;
  /** The latest allocation, 0: none; and whether the thread freed anything since. */
  uint64_t last_allocated;
  uint64_t last_size;
  /** The block that a call under way gives back, perhaps through free. */
  uint64_t departing;
  bool freed_since;
  /** Blocks since it last had to empty the rooms of all (live.h). */
  uint32_t calm;
  /** Stack pointer when it became busy. */
  uint64_t busy_sp;
  uint32_t root_node;
  /** By layout_kind: the stack of which only the thread is known. */
  uint32_t root_stacks[2];
  /** unwind_code_epoch of what is in `nodes` and `stacks`. */
  uint32_t code_epoch;
  /** Hash of a path from the root → node, and hash of a whole stack with its kind → stack. All stacks are rooted at their thread: nobody else looks here. */
  struct index nodes;
  struct stack_index stacks;
  int32_t tid;
  /** thread_block: the next thread with this one's stack has the same. */
  uint64_t pointer;
  uint32_t exit_rounds;
  bool ended;
  /** Of an ended thread that forgot itself. */
  long mark;
  struct walker walker;
};

#ifdef MEMSURGE_TLS_KEY
struct thread *thread_self(void);
#else
extern __thread struct thread *thread_of_this __attribute__((tls_model("initial-exec")));
static inline struct thread *thread_self(void) { return thread_of_this; }
#endif

/** What thread_enter does when the thread is not simply idle. */
struct thread *thread_enter_slowly(struct thread *);

/** The calling thread, now busy; NULL when nothing is to be recorded. */
static inline struct thread *thread_enter(void) {
  struct thread *thread = thread_self();
  if (__builtin_expect(thread == NULL || thread->state != THREAD_IDLE, 0)) return thread_enter_slowly(thread);
  thread->state = THREAD_BUSY;
  /*
   * Whoever stops the recording changes the phase, fences all threads by membarrier, and then waits for the busy ones.
   * One that was held up before it became busy may come here in the next recording, of which it knows nothing.
   */
  atomic_signal_fence(memory_order_seq_cst);
  bool is_recording = atomic_load_explicit(&gate.phase, memory_order_acquire) == GATE_RECORDING;
  if (__builtin_expect(!is_recording || thread->recording != gate.recording, 0)) {
    thread->state = THREAD_NEW;
    return thread_enter_slowly(thread);
  }
  thread->busy_sp = (uint64_t)__builtin_frame_address(0);
  return thread;
}

static inline void thread_leave(struct thread *thread) {
  atomic_signal_fence(memory_order_seq_cst);
  __atomic_store_n(&thread->state, THREAD_IDLE, __ATOMIC_RELEASE);
}

/** Once per process, before anything else; false when the system cannot. */
bool threads_prepare(void);
/** At a start; in a child made by fork the threads of the parent are gone. */
void threads_reset(bool after_fork);
/**
 * Waits until no thread is inside the agent; the phase must be off RECORDING.
 * False: some thread did not leave within seconds; it may never, or may still write to the file.
 */
bool threads_quiesce(void);
/** A thread (0: the calling one) is called this from now on (16 bytes); one that is not known yet is asked when it comes. */
void thread_is_named(int32_t tid, const char *name);

#endif
