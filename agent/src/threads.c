#include "threads.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent.h"
#include "arch.h"
#include "lock.h"
#include "memory.h"
#include "samples.h"
#include "stacks.h"
#include "store.h"
#include "thread-block.h"

/* glibc calls a key's destructor again as long as the key has a value, so many times (PTHREAD_DESTRUCTOR_ITERATIONS). */
#define EXIT_ROUNDS 4
/* While the recording is off, a thread looks again after so many bytes. */
#define PAUSE_BYTES (1 << 20)
/* Of ended threads so many are kept before the kernel is asked whether one is gone. */
#define KEPT_ENDED 16
#define ESRCH_RESULT (-3)
/* Nothing in the agent takes so long: the thread left it by longjmp, or is held by a debugger. */
#define QUIESCE_NS 2000000000u

const char *single_threaded = "";

static struct lock list_lock;
static struct thread *all_threads;
static pthread_key_t exit_key;

/* Without TLS a thread knows nothing of itself once its last destructor has run. */
#ifdef MEMSURGE_TLS_KEY
#define FORGETS_ITSELF true
static bool has_key;
struct thread *thread_self(void) { return has_key ? pthread_getspecific(exit_key) : NULL; }
static void set_self(struct thread *thread) { pthread_setspecific(exit_key, thread); }
#else
#define FORGETS_ITSELF false
__thread struct thread *thread_of_this __attribute__((tls_model("initial-exec")));
static void set_self(struct thread *thread) {
  thread_of_this = thread;
  pthread_setspecific(exit_key, thread);
}
#endif

static struct layout_thread *row_of(const struct thread *thread) {
  return (struct layout_thread *)store_rows(SECTION_THREADS) + thread->serial;
}

/* Renamings come by thread_is_named. */
static void note_name(struct thread *thread) {
  char name[16] = "";
  SYSTEM_CALL3(SYS_prctl, PR_GET_NAME, name, 0);
  memcpy(row_of(thread)->name, name, sizeof name);
}

void thread_is_named(int32_t tid, const char *name) {
  struct thread *caller = thread_enter();
  if (caller == NULL) return;
  for (struct thread *thread = all_threads; thread != NULL; thread = thread->next) {
    if (thread->tid != (tid != 0 ? tid : caller->tid) || thread->recording != gate.recording || thread->ended) continue;
    memcpy(row_of(thread)->name, name, sizeof row_of(thread)->name);
  }
  thread_leave(caller);
}

static bool is_known(const struct thread *thread) {
  return thread->state == THREAD_IDLE && thread->recording == gate.recording;
}

/*
 * What a thread that forgot itself is known by: only what the kernel keeps of it outlives its last destructor and never
 * passes to the next thread with its id or its stack. Of that, a timer slack 1 ns longer does no harm.
 */
static long timer_slack(void) { return SYSTEM_CALL3(SYS_prctl, PR_GET_TIMERSLACK, 0, 0); }
static void mark_ended(struct thread *thread) {
  thread->mark = timer_slack() + 1;
  SYSTEM_CALL3(SYS_prctl, PR_SET_TIMERSLACK, thread->mark, 0);
}

/* Other destructors may still allocate: the thread counts as ended in the last round only, and even then goes on to record. */
static void on_thread_exit(void *value) {
  struct thread *thread = value;
  if (!is_known(thread)) return;
  pthread_setspecific(exit_key, thread);
  if (++thread->exit_rounds < EXIT_ROUNDS || (thread = thread_enter()) == NULL) return;
  row_of(thread)->end_time = monotonic_ns();
  thread_leave(thread);
  if (FORGETS_ITSELF) mark_ended(thread);
  thread->ended = true;
  pthread_setspecific(exit_key, NULL);
}

bool threads_prepare(void) {
  if (pthread_key_create(&exit_key, on_thread_exit) != 0) return false;
#ifdef MEMSURGE_TLS_KEY
  has_key = true;
#endif
  return true;
}

void threads_reset(bool after_fork) {
  thread_block_prepare();
  /* Whoever was told to pause looks again at once. */
  for (struct thread *thread = after_fork ? NULL : all_threads; thread != NULL; thread = thread->next) thread->countdown = 0;
  if (!after_fork) return;
  list_lock = (struct lock){0};
  all_threads = NULL;
}

static bool is_gone(const struct thread *thread) {
  return thread->ended && SYSTEM_CALL3(SYS_tgkill, SYSTEM_CALL3(SYS_getpid, 0, 0, 0), thread->tid, 0) == ESRCH_RESULT;
}

/*
 * A thread may allocate after its last destructor: one that forgot itself is found among the ended. Otherwise one that is
 * gone, or new memory.
 */
static struct thread *find_or_map(int32_t tid) {
  struct thread *found = NULL;
  int looked_at = 0;
  for (struct thread *thread = all_threads; thread != NULL && looked_at < 32; thread = thread->next) {
    if (!thread->ended) continue;
    if (FORGETS_ITSELF && thread->tid == tid && is_known(thread) && timer_slack() == thread->mark) return thread;
    /* Whoever has its stack now can only have got it after its end. */
    if (found == NULL && (thread->pointer == thread_block() || (looked_at > KEPT_ENDED && is_gone(thread)))) found = thread;
    looked_at++;
  }
  if (found == NULL) return memory_map(sizeof *found, MEMORY_ZERO);
  found->state = THREAD_NEW;
  found->ended = false;
  return found;
}

static void find_stack(struct thread *thread, int32_t pid) {
  uint64_t low, high;
  if (!thread_block_stack(thread->tid == pid, &low, &high)) memory_find((uint64_t)__builtin_frame_address(0), &low, &high);
  thread->walker.stack_low = low;
  thread->walker.stack_high = high;
}

/* What an earlier thread, or the recording before, left behind. */
static void clear(struct thread *thread) {
  index_drop(&thread->nodes);
  stack_index_drop(&thread->stacks);
  /* Others read the state and walk the list meanwhile: these stay as they are. */
  memset(&thread->serial, 0, LAYOUT_PAGE - offsetof(struct thread, serial));
  memory_clear((char *)thread + LAYOUT_PAGE, sizeof *thread - LAYOUT_PAGE);
}

/* Gives a thread its serial, its stack's bounds and its root. False: the file has no room for it. */
static bool introduce(struct thread *thread, int32_t tid) {
  struct layout_thread row = {.tid = (uint32_t)tid, .start_time = monotonic_ns()};
  uint32_t serial = store_append(SECTION_THREADS, &row);
  if (serial == STORE_FULL) return false;
  if (thread->tid != 0) clear(thread);
  thread->serial = serial;
  thread->recording = gate.recording;
  thread->tid = tid;
  thread->pointer = thread_block();
  thread->random = row.start_time * 0x9e3779b97f4a7c15u ^ (uint64_t)thread ^ (uint64_t)tid;
  find_stack(thread, store.header->pid);
  samples_draw(thread);
  if (!stacks_root(thread)) return false;
  row_of(thread)->root_node = thread->root_node;
  note_name(thread);
  return true;
}

static struct thread *enter_new(struct thread *thread) {
  int32_t tid = thread_block_id();
  lock_enter(&list_lock);
  if (thread == NULL) thread = find_or_map(tid);
  if (thread != NULL && !thread->listed) {
    thread->listed = true;
    thread->next = all_threads;
    __atomic_store_n(&all_threads, thread, __ATOMIC_RELEASE); /* whoever stops the recording takes no lock */
  }
  lock_leave(&list_lock);
  if (thread == NULL) return NULL;
  bool known = is_known(thread);
  thread->state = THREAD_BUSY;
  atomic_signal_fence(memory_order_seq_cst);
  if (atomic_load(&gate.phase) != GATE_RECORDING) { /* stopped since it was looked at: see thread_enter */
    thread->state = THREAD_NEW;
    return NULL;
  }
  thread->busy_sp = (uint64_t)__builtin_frame_address(0);
  if (!known && !introduce(thread, tid)) {
    thread->state = THREAD_NEW;
    thread->countdown = PAUSE_BYTES;
    return NULL;
  }
  thread->state = THREAD_BUSY;
  /* Not for one that has ended: whatever thread gets the stack next would find the key set. */
  if (!known) set_self(thread);
  return thread;
}

/* A frame further out than the one that entered cannot be a signal handler's: that one was left by longjmp. */
static bool left_by_jump(const struct thread *thread) {
  uint64_t sp = (uint64_t)__builtin_frame_address(0);
  return sp > thread->busy_sp && sp < thread->walker.stack_high && thread->busy_sp >= thread->walker.stack_low;
}

struct thread *thread_enter_slowly(struct thread *thread) {
  if (atomic_load(&gate.phase) == GATE_WAITING) agent_start_preloaded();
  uint32_t phase = atomic_load(&gate.phase);
  if (phase == GATE_INERT || phase == GATE_STOPPED) {
    if (thread != NULL && gate.mode == MODE_SAMPLED) thread->countdown = PAUSE_BYTES;
    return NULL;
  }
  if (phase == GATE_STARTING) {
    agent_skipped_early();
    return NULL;
  }
  if (thread == NULL || thread->state == THREAD_NEW) return enter_new(thread);
  if (!left_by_jump(thread)) {
    atomic_fetch_add_explicit(&store.header->losses.skipped_count, 1, memory_order_relaxed);
    return NULL;
  }
  thread->state = THREAD_IDLE;
  return thread_enter();
}

static bool wait_until_idle(struct thread *thread, uint64_t deadline) {
  while (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) == THREAD_BUSY && !is_gone(thread)) {
    if (monotonic_ns() > deadline) return false;
    SYSTEM_CALL3(SYS_sched_yield, 0, 0, 0);
  }
  return true;
}

bool threads_quiesce(void) {
  uint64_t deadline = monotonic_ns() + QUIESCE_NS;
  bool quiet = true;
  for (struct thread *thread = all_threads; thread != NULL; thread = thread->next) {
    if (!wait_until_idle(thread, deadline)) quiet = false;
  }
  return quiet;
}
