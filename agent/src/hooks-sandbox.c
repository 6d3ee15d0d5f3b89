/*
 * Hooks on the calls by which a program gives something up for good: system calls, the time stamp counter, address space;
 * and on those by which a thread names itself, so that nobody has to ask for its name.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "arch.h"
#include "hooks.h"
#include "real.h"
#include "sandbox.h"
#include "stacks.h"
#include "store.h"
#include "thread-block.h"
#include "threads.h"

#undef setrlimit64
#undef prlimit64

/* What is asked for by a call of this kind; NULL for strict mode. `asked` false: nothing is given up. */
struct request {
  bool asked;
  bool for_all;
  bool stops_growth;
  const struct sock_fprog *filter;
};

static struct request of_prctl(long option, long mode, long filter) {
  bool strict = mode == SECCOMP_MODE_STRICT;
  bool asked = option == PR_SET_SECCOMP && (strict || (mode == SECCOMP_MODE_FILTER && filter != 0));
  return (struct request){.asked = asked, .filter = strict ? NULL : (const struct sock_fprog *)filter};
}

static struct request of_seccomp(long operation, long flags, long filter) {
  bool strict = operation == SECCOMP_SET_MODE_STRICT;
  bool asked = strict || (operation == SECCOMP_SET_MODE_FILTER && filter != 0);
  bool for_all = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
  return (struct request){.asked = asked, .for_all = for_all, .filter = strict ? NULL : (const struct sock_fprog *)filter};
}

/* A child that still shares our memory (vfork) gives up nothing of ours. */
static bool is_this_process(void) {
  return store.header == NULL || SYSTEM_CALL3(SYS_getpid, 0, 0, 0) == store.header->pid;
}

/* Before it is installed, while nothing is given up yet: a file that cannot grow is full when what was taken along is used up. */
static void prepare(struct request *request) {
  request->asked = request->asked && is_this_process();
  struct thread *thread = request->asked ? thread_enter() : NULL;
  if (thread == NULL) return;
  request->stops_growth = !sandbox_will_allow_growth(request->filter);
  if (request->stops_growth) {
    store_reserve_ahead();
    stacks_reserve_ahead(thread);
  }
  thread_leave(thread);
}

static void note(const struct request *request) {
  if (!request->asked) return;
  sandbox_enter(request->filter, request->for_all);
  if (request->stops_growth) store.header->sandboxed = 1;
}

static void note_tsc(long option, long value) {
  if (option == PR_SET_TSC && value == PR_TSC_SIGSEGV) sandbox_give_up_tsc();
}

/* `tid` 0: the calling thread. */
static void note_name(int32_t tid, const char *name) {
  char padded[16] = "";
  for (size_t i = 0; i + 1 < sizeof padded && name[i] != 0; i++) padded[i] = name[i];
  thread_is_named(tid, padded);
}

EXPORT int prctl(int option, ...) {
  va_list rest;
  va_start(rest, option);
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long);
  va_end(rest);
  struct request request = of_prctl(option, a, b);
  prepare(&request);
  note_tsc(option, a);
  int result = real.prctl(option, a, b, c, d);
  if (result < 0) return result;
  note(&request);
  if (option == PR_SET_NAME) note_name(0, (const char *)a);
  return result;
}

EXPORT int pthread_setname_np(pthread_t thread, const char *name) {
  int error = real.pthread_setname_np(thread, name);
  int32_t tid = thread == pthread_self() ? 0 : thread_block_id_of((uint64_t)thread);
  if (error == 0 && (tid != 0 || thread == pthread_self())) note_name(tid, name);
  return error;
}

static void limited(pid_t pid, long resource, const struct rlimit *limit) {
  if (resource != RLIMIT_AS || limit == NULL || store.header == NULL || (pid != 0 && pid != store.header->pid)) return;
  if (is_this_process()) store_limit_space(limit->rlim_cur);
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  int result = real.setrlimit((unsigned)resource, limit);
  if (result == 0) limited(0, (long)resource, limit);
  return result;
}
EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) {
  return setrlimit(resource, (const struct rlimit *)limit);
}

EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit, struct rlimit *old) {
  int result = real.prlimit(pid, (unsigned)resource, limit, old);
  if (result == 0) limited(pid, (long)resource, limit);
  return result;
}
EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit, struct rlimit64 *old) {
  return prlimit(pid, resource, (const struct rlimit *)limit, (struct rlimit *)old);
}

/* The thunk comes here for these four numbers only. */
__attribute__((used)) long syscall_hooked(long number, long a, long b, long c, long d, long e) {
  struct request request = number == SYS_seccomp ? of_seccomp(a, b, c) : number == SYS_prctl ? of_prctl(a, b, c) : (struct request){0};
  prepare(&request);
  if (number == SYS_prctl) note_tsc(a, b);
  long result = real_syscall(number, a, b, c, d, e, 0L);
  if (result < 0) return result;
  note(&request);
  if (number == SYS_prctl && a == PR_SET_NAME) note_name(0, (const char *)b);
  if (number == SYS_setrlimit) limited(0, a, (const struct rlimit *)b);
  if (number == SYS_prlimit64) limited((pid_t)a, b, (const struct rlimit *)c);
  return result;
}
