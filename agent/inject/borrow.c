#include "borrow.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "call.h"
#include "filter.h"
#include "frame.h"
#include "program.h"
#include "safe.h"
#include "thread.h"

_Static_assert(offsetof(struct call, result) == CALL_RESULT && offsetof(struct call, dlopen) == CALL_DLOPEN, "call.h");
_Static_assert(offsetof(struct call, dlsym) == CALL_DLSYM && offsetof(struct call, dlerror) == CALL_DLERROR, "call.h");
_Static_assert(offsetof(struct call, errno_location) == CALL_ERRNO_LOCATION && offsetof(struct call, handle) == CALL_HANDLE, "call.h");
_Static_assert(offsetof(struct call, error) == CALL_ERROR && offsetof(struct call, frame) == CALL_FRAME, "call.h");
_Static_assert(offsetof(struct call, patience) == CALL_PATIENCE && offsetof(struct call, flags) == CALL_FLAGS, "call.h");
_Static_assert(offsetof(struct call, library) == CALL_LIBRARY && offsetof(struct call, symbol) == CALL_SYMBOL, "call.h");
_Static_assert(offsetof(struct call, config) == CALL_CONFIG && offsetof(struct call, state) == CALL_STATE, "call.h");

#define RED_ZONE 128
#define POLL_NS 100000
#define FIRST_PAUSE_NS 200000
#define LONGEST_PAUSE_NS 5000000
/* How long a borrowed thread that is done waits for us: long enough for a busy machine. */
#define PATIENCE_SECONDS 3
/* How long a thread may wait for the loader's lock, which somebody may hold for ever. */
#define LOCK_PATIENCE_NS ((uint64_t)2000000000)
/* Only these can be refused while they are handled: they come from what the thread does itself. */
#define SYNCHRONOUS_SIGNALS (1ull << 3 | 1ull << 4 | 1ull << 6 | 1ull << 7 | 1ull << 10 | 1ull << 30)

/* What is laid on the thread's stack, from its end down: vector registers, frame, call; below it the call's own stack. */
struct layout {
  uint64_t vectors, frame, call, stack;
};

struct loan {
  const struct request *request;
  struct program program;
  struct thread thread;
  struct layout at;
  struct call call;
};

static struct outcome refuse(const char *reason) {
  struct outcome outcome = {.kind = OUTCOME_REFUSED};
  snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
  return outcome;
}

static struct layout layout_below(uint64_t stack_pointer, size_t vector_bytes) {
  struct layout at;
  at.vectors = (stack_pointer - RED_ZONE - vector_bytes - sizeof(uint32_t)) & ~(uint64_t)63;
  at.frame = (at.vectors - sizeof(struct frame)) & ~(uint64_t)63;
  at.call = (at.frame - sizeof(struct call)) & ~(uint64_t)63;
  at.stack = at.call - 64;
  return at;
}

static void describe_call(struct loan *loan) {
  const struct program *program = &loan->program;
  loan->call = (struct call){
      .dlopen = program->dlopen,
      .dlsym = program->dlsym,
      .dlerror = program->dlerror,
      .errno_location = program->errno_location,
      .result = -1,
      .frame = loan->at.frame,
      .patience = {PATIENCE_SECONDS, 0},
      .flags = program->flags,
      .symbol = "memsurge_attach_start",
  };
  snprintf(loan->call.library, sizeof loan->call.library, "%s", loan->request->library);
  snprintf(loan->call.config, sizeof loan->call.config, "%s", loan->request->config);
}

static bool lay_code(const struct loan *loan) {
  size_t bytes = (size_t)(call_code_end - call_code);
  char there[1024];
  if (bytes <= sizeof there && peek(loan->thread.tid, loan->program.room, there, bytes) && memcmp(there, call_code, bytes) == 0) return true;
  return thread_poke_code(&loan->thread, loan->program.room, call_code, bytes);
}

/* Everything is laid before the registers change, in one step: from then on the thread needs us no more. */
static bool begin(struct loan *loan) {
  static uint8_t vectors[FRAME_MOST_VECTOR_BYTES];
  struct thread *thread = &loan->thread;
  struct frame frame;
  loan->at = layout_below(thread->registers.rsp, thread->vector_bytes);
  size_t vector_bytes = frame_make(thread, loan->at.vectors, &frame, vectors);
  describe_call(loan);
  bool laid = lay_code(loan) && poke(thread->tid, loan->at.vectors, vectors, vector_bytes) &&
              poke(thread->tid, loan->at.frame, &frame, sizeof frame) && poke(thread->tid, loan->at.call, &loan->call, sizeof loan->call);
  if (!laid) return false;
  struct user_regs_struct registers = thread->registers;
  registers.rip = loan->program.room;
  registers.rsp = loan->at.stack;
  registers.rbx = loan->at.call;
  registers.rax = 0;
  registers.orig_rax = (unsigned long)-1;
  registers.eflags = 0x202;
  return thread_send(thread, &registers, ~SYNCHRONOUS_SIGNALS);
}

/* A wait that ends for us alone begins again. */
static struct user_regs_struct registers_to_go_on(const struct loan *loan) {
  const struct thread *thread = &loan->thread;
  bool begins_again = thread_loses_wait(thread) && !thread_has_signal(loan->request->pid, thread->tid, thread->signal_mask);
  return begins_again ? thread_begun_again(thread) : thread->registers;
}

/* Gives the held thread its own registers. Only then the frame is worth nothing, and must not look like a signal's any more. */
static void give_back(const struct loan *loan) {
  uint64_t nothing = 0;
  struct user_regs_struct registers = registers_to_go_on(loan);
  if (thread_restore(&loan->thread, &registers)) {
    poke(loan->thread.tid, loan->at.frame + offsetof(struct frame, cs), &nothing, sizeof nothing);
  }
  thread_release(&loan->thread);
}

/* Number by which the thread knows itself: that of its innermost pid namespace. */
static int32_t inner_tid(pid_t pid, pid_t tid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
  FILE *file = fopen(path, "r");
  int32_t inner = tid;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;
    if (last != NULL) inner = atoi(last);
  }
  if (file != NULL) fclose(file);
  return inner;
}

/* A recursive mutex of glibc (struct __pthread_mutex_s): lock, count, owner, users, kind. */
static bool holds_lock_of_loader(const struct loan *loan, int32_t tid) {
  static int32_t words[4096];
  size_t bytes = loan->program.loader_data_bytes;
  if (bytes > sizeof words || !peek(loan->thread.tid, loan->program.loader_data, words, bytes)) return true;
  for (size_t i = 0; i + 5 <= bytes / sizeof *words; i += 2) {
    if (words[i] != 0 && words[i + 2] == tid && words[i + 4] == 1) return true;
  }
  return false;
}

/* It has changed nothing yet: it waits for the lock that it takes first, and may as well stop waiting. */
static bool only_waits_for_loader(const struct loan *loan, const struct thread *now) {
  const struct user_regs_struct *registers = &now->registers;
  uint64_t from = loan->program.loader_data, word = registers->rdi;
  return thread_interrupted_call(now) == SYS_futex && ((int)registers->rsi & FUTEX_CMD_MASK) == FUTEX_WAIT && word >= from &&
         word < from + loan->program.loader_data_bytes && !holds_lock_of_loader(loan, inner_tid(loan->request->pid, now->tid));
}

/* A signal on its way comes first, and another injector may hold it for a moment. */
static bool hold_again(const struct loan *loan, struct thread *now) {
  for (; monotonic_ns() < loan->request->deadline; sleep_ns(POLL_NS)) {
    enum thread_hold hold = thread_hold(loan->thread.tid, loan->request->deadline, now);
    if (hold == THREAD_HELD) return true;
    if (hold == THREAD_STUCK || (hold == THREAD_GONE && now->signal == 0)) return false;
  }
  return false;
}

/* True: the thread waited for the loader all the time, and is back where it was. */
static bool take_back(struct loan *loan) {
  static struct thread now;
  if (!hold_again(loan, &now)) return false;
  bool waits = only_waits_for_loader(loan, &now);
  if (waits) give_back(loan);
  else thread_release(&now);
  return waits;
}

static struct outcome read_outcome(const struct loan *loan, const struct call *call) {
  struct outcome outcome = {.kind = OUTCOME_STARTED, .result = call->result};
  if (call->handle != 0) return outcome;
  outcome.kind = OUTCOME_NOT_LOADED;
  size_t length = 0;
  while (call->error != 0 && length < sizeof outcome.reason - 1 && peek(loan->thread.tid, call->error + length, &outcome.reason[length], 1) &&
         outcome.reason[length] != 0 && outcome.reason[length] != '\n') {
    length++;
  }
  outcome.reason[length] = 0;
  return outcome;
}

/* The thread is done, and waits for us. What it left is read while it is held. False: it does not wait. */
static bool collect(const struct loan *loan, struct outcome *outcome) {
  static struct thread now;
  struct call call;
  if (!hold_again(loan, &now)) return false;
  bool waits = now.registers.rip == loan->program.room + (uint64_t)(call_code_waits - call_code) && now.registers.rbx == loan->at.call;
  if (waits && peek(now.tid, loan->at.call, &call, sizeof call)) *outcome = read_outcome(loan, &call);
  if (waits) give_back(loan);
  else thread_release(&now);
  return waits;
}

static struct outcome wait_for_end(struct loan *loan) {
  uint64_t begun = monotonic_ns();
  bool tried_to_take_back = false;
  for (;;) {
    uint32_t state;
    if (!peek(loan->request->pid, loan->at.call, &state, sizeof state)) return refuse("it has ended");
    struct outcome outcome = refuse("it has ended");
    if (state == CALL_DONE && collect(loan, &outcome)) return outcome;
    uint64_t now = monotonic_ns();
    if (!tried_to_take_back && now - begun > LOCK_PATIENCE_NS) {
      tried_to_take_back = true;
      if (take_back(loan)) return refuse("another of its threads is loading a library and does not come to an end; try again later");
    }
    if (now > loan->request->deadline) return refuse("it has not come back from loading the agent, and goes on by itself; try again later");
    sleep_ns(POLL_NS);
  }
}

enum attempt { ATTEMPT_BEGUN, ATTEMPT_NOT_NOW, ATTEMPT_REFUSED, ATTEMPT_STUCK, ATTEMPT_FILTERED };

static enum attempt try_thread(struct loan *loan, pid_t tid) {
  switch (thread_hold(tid, loan->request->deadline, &loan->thread)) {
    case THREAD_HELD: break;
    case THREAD_REFUSED: return ATTEMPT_REFUSED;
    case THREAD_STUCK: return ATTEMPT_STUCK;
    case THREAD_GONE: return ATTEMPT_NOT_NOW;
  }
  const struct thread *thread = &loan->thread;
  bool filtered = loan->request->has_filter && thread_has_deadly_filter(thread);
  bool begun = !filtered && thread_is_safe(&loan->program, thread) && !thread_has_signal(loan->request->pid, tid, thread->signal_mask) && begin(loan);
  if (!begun && thread_loses_wait(thread)) {
    struct user_regs_struct registers = registers_to_go_on(loan);
    thread_send(thread, &registers, thread->signal_mask);
  }
  thread_release(thread);
  return begun ? ATTEMPT_BEGUN : filtered ? ATTEMPT_FILTERED : ATTEMPT_NOT_NOW;
}

/* All threads once, those first that mind it least. */
static enum attempt try_threads(struct loan *loan) {
  static pid_t tids[65536];
  static uint8_t kinds[65536];
  char path[64];
  size_t count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", loan->request->pid);
  DIR *tasks = opendir(path);
  if (tasks == NULL) return ATTEMPT_STUCK;
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL && count < sizeof tids / sizeof *tids;) {
    pid_t tid = atoi(entry->d_name);
    if (tid == 0) continue;
    kinds[count] = (uint8_t)candidate_of(loan->request->pid, tid);
    tids[count++] = tid;
  }
  closedir(tasks);
  for (uint8_t kind = 0; kind < CANDIDATE_NONE; kind++) {
    for (size_t i = 0; i < count; i++) {
      enum attempt attempt = kinds[i] == kind ? try_thread(loan, tids[i]) : ATTEMPT_NOT_NOW;
      if (attempt != ATTEMPT_NOT_NOW) return attempt;
    }
  }
  return ATTEMPT_NOT_NOW;
}

struct outcome borrow(const struct request *request) {
  static struct loan loan;
  loan.request = request;
  for (uint64_t pause = FIRST_PAUSE_NS; monotonic_ns() < request->deadline && request->is_wanted(); pause = pause * 2 < LONGEST_PAUSE_NS ? pause * 2 : LONGEST_PAUSE_NS) {
    /* Anew each time: it may be loading libraries and starting threads. */
    const char *problem = program_read(request->pid, (size_t)(call_code_end - call_code), &loan.program);
    enum attempt attempt = problem == NULL ? try_threads(&loan) : ATTEMPT_NOT_NOW;
    struct outcome outcome = attempt == ATTEMPT_BEGUN      ? wait_for_end(&loan)
                             : attempt == ATTEMPT_REFUSED  ? refuse("not permitted")
                             : attempt == ATTEMPT_STUCK    ? refuse("it does not stop")
                             : attempt == ATTEMPT_FILTERED ? refuse("its system calls are filtered (seccomp), and the filter could end it for those of the agent; start it with memsurge")
                                                           : refuse(problem != NULL ? problem : "");
    program_free(&loan.program);
    if (attempt != ATTEMPT_NOT_NOW || problem != NULL) return outcome;
    sleep_ns(pause);
  }
  return refuse("all its threads are inside the C library all the time; try again");
}
