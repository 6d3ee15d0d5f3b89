#include "control.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

#include "arch.h"
#include "attach.h"
#include "got.h"
#include "memory.h"
#include "sandbox.h"
#include "store.h"

#define POLL_NS 20000000
/* A recorder whose heart has not beaten for so long was killed. */
#define ABANDONED_NS ((uint64_t)30 * 1000000000)
/* So long is enough for one that comes in its place. */
#define REPLACED_NS ((uint64_t)5 * 1000000000)
/* It uses a few KiB; but the program's own thread-local variables come out of the stack too. */
#define STACK_BYTES (256 << 10)

static _Atomic uint32_t quit;
static pthread_t control_thread;

/* False: the program has given up the call for this thread too. */
static bool wait_for_quit(void) {
  struct timespec timeout = {.tv_nsec = POLL_NS};
  if (sandbox_spares_others()) {
    system_call(SYS_futex, (long)&quit, FUTEX_WAIT_PRIVATE, 0, (long)&timeout, 0, 0);
    return true;
  }
  return SYSTEM_CALL4(SYS_futex, &quit, FUTEX_WAIT_PRIVATE, 0, &timeout) != -EPERM_RESULT;
}

/* The recorder's last heartbeat, and when it was seen to change. */
static uint32_t heartbeat;
static _Atomic uint64_t beaten_at;

static void listen(void) {
  uint32_t now = atomic_load(&store.header->heartbeat);
  if (now == heartbeat) return;
  heartbeat = now;
  atomic_store(&beaten_at, monotonic_ns());
}

/* A beat may be heard by the other thread meanwhile: that is no silence. */
static uint64_t silence_ns(void) {
  uint64_t at = atomic_load(&beaten_at), now = monotonic_ns();
  return now > at ? now - at : 0;
}

/* The thread itself may have been borrowed to ask. */
bool control_may_be_replaced(void) { return silence_ns() > REPLACED_NS && !pthread_equal(pthread_self(), control_thread); }

static void *run(void *unused) {
  SYSTEM_CALL3(SYS_prctl, PR_SET_NAME, "memsurge", 0);
  bool can_wait = true;
  while (atomic_load(&quit) == 0) {
    got_refresh();
    listen();
    bool is_over = !can_wait || atomic_load(&store.header->stop) != 0 || atomic_load(&store.header->state) == STATE_STOPPED;
    if ((is_over || silence_ns() > ABANDONED_NS) && attach_end_by_control()) {
      pthread_detach(pthread_self());
      break;
    }
    can_wait = wait_for_quit();
  }
  return unused;
}

static bool create(size_t stack_bytes) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  if (stack_bytes != 0) pthread_attr_setstacksize(&attributes, stack_bytes);
  int error = pthread_create(&control_thread, &attributes, run, NULL);
  pthread_attr_destroy(&attributes);
  return error == 0;
}

/* No signal of the program may run on this thread: it inherits a mask that blocks all. */
bool control_start(void) {
  sigset_t all, before;
  sigfillset(&all);
  atomic_store(&quit, 0);
  heartbeat = 0;
  atomic_store(&beaten_at, monotonic_ns());
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = create(STACK_BYTES) || create(0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

void control_stop(void) {
  atomic_store(&quit, 1);
  SYSTEM_CALL4(SYS_futex, &quit, FUTEX_WAKE_PRIVATE, 1, 0);
  pthread_join(control_thread, NULL);
}
