/* flags: src/unwind.c src/rules.c src/cfi.c src/cfi-step.c src/modules.c src/modules-list.c src/modules-path.c src/pc-cache.c src/peek.c src/code-x64.c src/length-x64.c src/memory.c src/sandbox.c -lm */
/* Walks native stacks of every kind by the agent's unwinder and by libc's backtrace: each frame of each must be the same. */
#include <dlfcn.h>
#include <execinfo.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch.h"
#include "store.h"
#include "unwind.h"

/* The walks note images here instead of in an agent's file. */
static struct layout_module noted[64];
static uint32_t noted_count;
static char noted_paths[64][1024];
struct store store = {.sections = {[SECTION_MODULES] = (uint8_t *)noted}};
uint32_t store_append(enum layout_section section, const void *row) {
  if (section != SECTION_MODULES || noted_count == 64) return STORE_FULL;
  noted[noted_count] = *(const struct layout_module *)row;
  return noted_count++;
}
uint32_t store_string(const char *text) {
  strncpy(noted_paths[noted_count % 64], text, 1023);
  return noted_count;
}

static const char *subject;
static long walks, frames_seen, kept_frames;
static int failures;
static __thread struct walker *walker;

static void fail(const char *what, int index) {
  if (++failures > 8) return;
  printf("%s: %s at frame %d\n", subject, what, index);
}

static void open_walker(void) {
  if (walker != NULL) return;
  walker = mmap(NULL, sizeof *walker, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_attr_t attributes;
  void *low;
  size_t bytes;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_destroy(&attributes);
  walker->stack_low = (uint64_t)low;
  walker->stack_high = (uint64_t)low + bytes;
}

/* An address at which a signal came is 1 more here: what lies one before it was under way. */
static int is_same(uint64_t ours, const void *theirs) { return ours == (uint64_t)theirs || ours == (uint64_t)theirs + 1; }

/* The caller's stack by both. `expected_flags`: what the walk must say of itself. */
static __attribute__((noinline)) void check_with(uint32_t expected_flags) {
  static __thread void *theirs[4096];
  struct unwind_registers registers = CALLER_REGISTERS();
  uint32_t flags;
  kept_frames += unwind(walker, &registers, &flags);
  walks++;
  frames_seen += walker->depth;
  int count = backtrace(theirs, 4096) - 1; /* without this function */
  if (flags != expected_flags) return fail("flags differ", (int)flags);
  if (flags == 0 && (int)walker->depth != count) return printf("%s: %u frames, libc has %d\n", subject, walker->depth, count), fail("depth differs", 0);
  for (int i = 0; i < (int)walker->depth && i < count; i++) {
    if (!is_same(walker->frames[walker->depth - 1 - i].pc, theirs[i + 1])) return fail("another pc", i);
  }
}
static __attribute__((noinline)) void check(void) {
  check_with(0);
  __asm__ volatile("");
}

/* ---- frames of many shapes */
static volatile int zero;
static __attribute__((noinline)) int shallow(int n) {
  check();
  return n + zero;
}
static __attribute__((noinline)) int with_alloca(int n) {
  volatile char *room = __builtin_alloca((size_t)(n * 48 + 16));
  room[0] = (char)n;
  check();
  return room[0] + shallow(n);
}
static __attribute__((noinline)) int with_alignment(int n) {
  volatile char room[96] __attribute__((aligned(64)));
  room[0] = (char)n;
  check();
  return room[0] + with_alloca(n + 1);
}
/* Keeps the CFA in no register that is followed everywhere: a static chain, alignment and alloca at once. */
static __attribute__((noinline)) int with_chain(int n) {
  volatile int outer = n;
  __attribute__((noinline)) int inner(int m) {
    volatile char room[64] __attribute__((aligned(64)));
    volatile char *more = __builtin_alloca((size_t)(m * 16 + 8));
    room[0] = more[0] = (char)m;
    check();
    return room[0] + more[0] + outer + with_alignment(m);
  }
  return inner(n) + inner(n + 1);
}
static __attribute__((noinline)) double with_many_saved(int a, int b, int c, int d, int e, int f, double x) {
  int sum = shallow(a) + with_alloca(b & 3) + shallow(c) + with_alignment(d & 3) + shallow(e) + shallow(f);
  return x * sum + a + b + c + d + e + f;
}
static __attribute__((noinline)) int recurse(int depth, int n) {
  if (depth == 0) return with_chain(n & 3) + (int)with_many_saved(n, n, n, n, n, n, 1.5);
  volatile char room[8 + 0];
  room[0] = (char)n;
  int result = recurse(depth - 1, n + 1) + room[0];
  if ((depth & 7) == 3) check();
  return result;
}
static int compare(const void *a, const void *b) {
  if (*(const int *)a % 7 == 0) check();
  return *(const int *)a - *(const int *)b;
}
static int compare_quietly(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static __attribute__((noinline)) void sort(void) {
  int numbers[200];
  for (int i = 0; i < 200; i++) numbers[i] = i * 7919 % 211;
  qsort(numbers, 200, sizeof *numbers, compare);
}
static void shapes(void) {
  subject = "shapes";
  for (int i = 0; i < 40; i++) {
    recurse(i % 13, i);
    sort();
  }
}

static __attribute__((noinline)) int descend(int depth) {
  if (depth == 0) check_with(STACK_TRUNCATED);
  else descend(depth - 1);
  __asm__ volatile("");
  return depth;
}
static __attribute__((noinline)) int descend_within(int depth) {
  if (depth == 0) check();
  else descend_within(depth - 1);
  __asm__ volatile("");
  return depth;
}
static void deep(void) {
  subject = "more than 512 frames";
  for (int i = 0; i < 20; i++) {
    descend(600 + i * 13 % 50);
    descend_within(400 + i);
  }
}

/* ---- threads */
static void once(void) { check(); }
static void *thread_main(void *argument) {
  static pthread_once_t control = PTHREAD_ONCE_INIT;
  open_walker();
  pthread_once(&control, once);
  for (int i = 0; i < 20; i++) recurse(i, (int)(long)argument);
  return NULL;
}
static void threads(void) {
  subject = "threads";
  pthread_t threads[3];
  for (long i = 0; i < 3; i++) {
    pthread_create(&threads[i], NULL, thread_main, (void *)i);
    pthread_join(threads[i], NULL);
  }
}

/* ---- signals */
static volatile sig_atomic_t signals_seen;
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number, (void)info, (void)context;
  check();
  shallow(1);
  signals_seen++;
}
static void handle(int number, int flags) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
  sigaction(number, &action, NULL);
}
static __attribute__((noinline)) int raise_deep(int depth, int number) {
  if (depth > 0) return raise_deep(depth - 1, number) + 1;
  raise(number);
  return zero;
}
static void on_nested(int number) {
  (void)number;
  raise_deep(3, SIGUSR1);
  check();
}
/* Whatever is interrupted: prologues, epilogues, jump tables of the linker, libc's assembler. */
static void interrupted_anywhere(int milliseconds) {
  struct itimerval interval = {{0, 317}, {0, 317}};
  handle(SIGALRM, SA_RESTART);
  setitimer(ITIMER_REAL, &interval, NULL);
  for (volatile double sum = 0; signals_seen < milliseconds;) {
    char text[200], *end;
    snprintf(text, sizeof text, "%d %.17g %s", (int)sum, sin((double)sum), "text");
    sum = sum + strtod(text + 2, &end) + (double)strlen(text) + (double)(long)memchr(text, 'e', sizeof text) * 1e-18;
    int numbers[64];
    for (int i = 0; i < 64; i++) numbers[i] = rand();
    qsort(numbers, 64, sizeof *numbers, compare_quietly);
    void *block = malloc((size_t)(rand() % 4000 + 1));
    memset(block, 1, 1);
    free(block);
  }
  struct itimerval none = {0};
  setitimer(ITIMER_REAL, &none, NULL);
}
static void signals(void) {
  subject = "signal handlers";
  handle(SIGUSR1, 0);
  signal(SIGUSR2, on_nested);
  for (int i = 0; i < 10; i++) raise_deep(i, i & 1 ? SIGUSR1 : SIGUSR2);
  subject = "signal handlers on a stack of their own";
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  handle(SIGUSR1, SA_ONSTACK);
  for (int i = 0; i < 10; i++) raise_deep(i, SIGUSR1);
  shapes();
  subject = "signals at any moment";
  signals_seen = 0;
  interrupted_anywhere(1500);
}

/* ---- coroutines */
static ucontext_t main_context, other_context;
static void coroutine(void) {
  for (;;) {
    check();
    with_alloca(2);
    swapcontext(&other_context, &main_context);
  }
}
static void coroutines(void) {
  subject = "coroutines";
  getcontext(&other_context);
  other_context.uc_stack = (stack_t){.ss_sp = malloc(262144), .ss_size = 262144};
  makecontext(&other_context, coroutine, 0);
  for (int i = 0; i < 5; i++) {
    swapcontext(&main_context, &other_context);
    shallow(i);
  }
}

/* ---- libraries that take each other's place */
static void call_back(void) { check(); }
static void libraries(const char *first, const char *second) {
  subject = "libraries at the same address";
  void *places[2] = {0};
  for (int i = 0; i < 30; i++) {
    void *library = dlopen(i & 1 ? second : first, RTLD_NOW);
    if (library == NULL) return printf("%s\n", dlerror()), fail("no library", i);
    void (*enter)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(library, "enter");
    places[i & 1] = (void *)enter;
    enter(call_back);
    dlclose(library);
    unwind_images_changed();
  }
  if (places[0] != places[1]) printf("note: the libraries did not lie at the same address\n");
  int rows = 0, ended = 0;
  for (uint32_t i = 0; i < noted_count; i++) {
    if (strcmp(noted_paths[noted[i].path], first) != 0 && strcmp(noted_paths[noted[i].path], second) != 0) continue;
    rows++;
    ended += noted[i].to_time != 0;
    if (noted[i].build_id_bytes != 20) fail("no build id", (int)i);
  }
  if (rows != 30 || ended != 30) printf("%d rows, %d ended\n", rows, ended), fail("a row for each time that a library was loaded", rows);
}

int main(int argc, char **argv) {
  open_walker();
  unwind_start();
  unwind_images_changed();
  shapes();
  deep();
  threads();
  signals();
  coroutines();
  if (argc == 3) libraries(argv[1], argv[2]);
  printf("%ld walks of %.1f frames, %.1f of them kept; %u images, %d failures\n", walks, (double)frames_seen / walks, (double)kept_frames / walks,
         noted_count, failures);
  return failures != 0;
}
