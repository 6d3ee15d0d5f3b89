/*
 * A program with known answers: `core CASE`. Each case says what it did as `name value` lines, to be found again in the
 * agent's file. It prints at the end, by write, so that printing allocates nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))
extern char **environ;
static const char *self;

static void say(const char *name, uint64_t value) {
  char line[128];
  int length = snprintf(line, sizeof line, "%s %llu\n", name, (unsigned long long)value);
  if (write(1, line, (size_t)length) != length) _exit(3);
}

static void check(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "core: %s\n", what);
  _exit(1);
}

/* Every function of the family: 16 allocations, 9 frees of them, sizes 2^0 … so that a sum names what is missing. */
static void family(void) {
  void *kept = malloc(1);
  void *blocks[16] = {0};
  int n = 0;
  blocks[n++] = calloc(2, 1);
  blocks[n++] = realloc(NULL, 4);
  blocks[n++] = reallocarray(NULL, 8, 1);
  check(posix_memalign(&blocks[n++], 64, 16) == 0, "posix_memalign");
  blocks[n++] = aligned_alloc(64, 64);
  blocks[n++] = memalign(64, 128);
  blocks[n++] = valloc(256);
  blocks[n++] = pvalloc(512);
  void *grown = realloc(malloc(1024), 2048);
  check(realloc(grown, 0) == NULL, "realloc to 0");
  free(NULL);
  volatile size_t huge = (size_t)1 << 40;
  check(calloc(huge, huge) == NULL && malloc(huge << 22) == NULL, "too large");
  check(realloc(kept, huge << 22) == NULL, "realloc too large");
  errno = 77;
  for (int i = 0; i < n; i++) free(blocks[i]);
  check(errno == 77, "errno");
  void *(*by_name)(size_t) = NULL;
  *(void **)&by_name = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "malloc");
  check(by_name(4096) != NULL, "dlsym");
}

/* 1000 blocks of 1000 bytes, then 600 of them freed; peak 1,000,000. */
static void peak(void) {
  static void *blocks[1000];
  for (size_t i = 0; i < LENGTH(blocks); i++) blocks[i] = malloc(1000);
  for (size_t i = 0; i < 600; i++) free(blocks[i]);
  for (size_t i = 0; i < 100; i++) free(malloc(1000));
}

static void mappings(void) {
  char *at = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(at != MAP_FAILED, "mmap");
  munmap(at + (16 << 10), 16 << 10);                                                               /* cut in two: 48 left */
  munmap(at + (60 << 10), 4000);                                                                   /* end: 44 left */
  check(mmap(at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at, "fixed"); /* start taken away */
  char *moved = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  moved = mremap(moved, 8192, 1 << 20, MREMAP_MAYMOVE);
  check(moved != MAP_FAILED, "mremap");
  check(mremap(moved, 1 << 20, (size_t)1 << 50, MREMAP_MAYMOVE) == MAP_FAILED, "mremap too large");
  check(munmap((void *)1, 1) == -1, "munmap of nonsense");
  sbrk(12345);
  check(mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED, "reserve");
  say("mapped.live_bytes", (40 << 10) + (1 << 20) + 12345);
}

static void *churn(void *argument) {
  void *kept[64] = {0};
  unsigned state = (unsigned)(uintptr_t)argument;
  for (int i = 0; i < 100000; i++) {
    state = state * 1664525 + 1013904223;
    size_t at = state >> 26;
    free(kept[at]);
    kept[at] = malloc(16 + (state >> 8) % 2000);
  }
  for (size_t i = 0; i < LENGTH(kept); i++) free(kept[i]);
  return malloc(100);
}

/* Each thread leaves one block of 100 bytes, which this one frees. */
static void threads(void) {
  pthread_t ids[4];
  for (size_t i = 0; i < LENGTH(ids); i++) pthread_create(&ids[i], NULL, churn, (void *)(i + 1));
  for (size_t i = 0; i < LENGTH(ids); i++) {
    void *block;
    pthread_join(ids[i], &block);
    free(block);
  }
}

#define CROWD 4
static _Atomic int arrived;
static void *in_a_crowd(void *unused) {
  (void)unused;
  for (arrived++; arrived % CROWD != 0;) sched_yield();
  return malloc(100);
}
/* 500 times four threads that allocate for the first time at the same moment. */
static void crowds(void) {
  for (int round = 0; round < 500; round++) {
    pthread_t ids[CROWD];
    for (size_t i = 0; i < CROWD; i++) pthread_create(&ids[i], NULL, in_a_crowd, NULL);
    for (size_t i = 0; i < CROWD; i++) pthread_join(ids[i], NULL);
  }
}

static void *alone(void *id) {
  *(pid_t *)id = gettid();
  return malloc(100);
}
/* Ten threads one after the other, with the same id where the system (for root) lets it be chosen. */
static void same_ids(void) {
  pid_t id = 0;
  for (int i = 0; i < 10; i++) {
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    if (id > 1) dprintf(last, "%d", id - 1);
    close(last);
    pthread_t thread;
    pthread_create(&thread, NULL, alone, &id);
    pthread_join(thread, NULL);
  }
}

static pthread_key_t key;
static void at_thread_exit(void *value) {
  free(value);
  free(malloc(50));
  malloc(10);
}
static void *with_destructor(void *unused) {
  (void)unused;
  pthread_setspecific(key, malloc(40));
  return NULL;
}
/* 200 threads one after the other: each leaves 10 bytes from a destructor. */
static void exits(void) {
  pthread_key_create(&key, at_thread_exit);
  for (int i = 0; i < 200; i++) {
    pthread_t id;
    pthread_create(&id, NULL, with_destructor, NULL);
    pthread_join(id, NULL);
  }
}

static volatile sig_atomic_t alarms;
static void on_alarm(int signal) {
  (void)signal;
  alarms++;
  free(malloc(77));
}
/* The handler allocates only while the program is outside of malloc: the agent's own part is what it interrupts. */
static void alarms_in_handlers(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  for (int i = 0; i < 1000; i++) {
    free(malloc(30));
    raise(SIGUSR1);
  }
  check(alarms == 1000, "alarms");
}

static void run(char *const arguments[]) {
  pid_t pid;
  int status;
  check(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) == 0, "posix_spawn");
  check(waitpid(pid, &status, 0) == pid && status == 0, "child of posix_spawn");
}

static void join(pid_t pid, const char *what) {
  int status;
  check(waitpid(pid, &status, 0) == pid && status == 0, what);
}

/* Four more images: by posix_spawn, vfork and exec, fork and exec, and fork alone; each leaves 1,000 bytes. */
static void children(void) {
  char *const arguments[] = {(char *)self, "leaf", NULL};
  run(arguments);
  pid_t pid = vfork();
  if (pid == 0) {
    execv(self, arguments);
    _exit(1);
  }
  join(pid, "vfork");
  if ((pid = fork()) == 0) {
    execv(self, arguments);
    _exit(1);
  }
  join(pid, "fork and exec");
  void *from_before = malloc(500);
  if ((pid = fork()) == 0) {
    free(from_before);
    check(malloc(1000) != NULL, "malloc in a child");
    _exit(0);
  }
  join(pid, "fork");
}

/* Forks under load: nobody may hang or die. */
static volatile int done;
static void *load(void *unused) {
  (void)unused;
  while (!done) free(malloc(100));
  return NULL;
}
/* What a lookup in vain leaves behind is freed by the next one: not within the start of a child's recording. */
static void lookup(void) {
  dlsym(RTLD_DEFAULT, "memsurge_no_such_function");
  pid_t pid = fork();
  if (pid == 0) {
    free(malloc(10));
    exit(0);
  }
  waitpid(pid, NULL, 0);
}

static void forks(void) {
  pthread_t ids[3];
  for (size_t i = 0; i < LENGTH(ids); i++) pthread_create(&ids[i], NULL, load, NULL);
  for (int i = 0; i < 100; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      free(malloc(10));
      _exit(0);
    }
    join(pid, "fork under load");
  }
  done = 1;
  for (size_t i = 0; i < LENGTH(ids); i++) pthread_join(ids[i], NULL);
}

static void die(const char *how) {
  check(malloc(1000) != NULL, "malloc");
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "segv") == 0) raise(SIGSEGV);
  _exit(0);
}

/* More blocks than a small disk holds rows for. */
static void many(void) {
  for (int i = 0; i < 400000; i++) check(malloc(16) != NULL, "malloc");
}

/* 20 MiB of blocks of 1 KiB stay, ten times as much does not: an estimate knows the one from the other. */
static void samples(void) {
  for (int i = 0; i < 20480; i++) {
    check(malloc(1024) != NULL, "malloc");
    for (int j = 0; j < 10; j++) free(malloc(1024));
  }
}

static uint64_t status_kib(const char *name) {
  char line[256];
  uint64_t value = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status)) {
    if (strncmp(line, name, strlen(name)) == 0) value = strtoull(line + strlen(name) + 1, NULL, 10);
  }
  fclose(status);
  return value;
}

/* What of the agent is locked with the program is what it uses: 13 MB of rows of blocks, up to twice that while they move. */
static void locked(void) {
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    say("may_lock", 0);
    return;
  }
  check(status_kib("VmLck") < 24 << 10, "more is locked than the agent uses");
  many();
  check(status_kib("VmLck") < 96 << 10, "much more is locked than the agent uses");
  say("may_lock", 1);
}

static void *nothing(void *unused) { return unused; }

/* A limit that the program sets for itself leaves it what it leaves it alone; and it is the limit of its children. */
static void limited(void) {
  check(status_kib("VmSize") < 64 << 10, "the agent takes address space that it does not use");
  struct rlimit limit = {256 << 20, 256 << 20};
  check(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
  void *large = malloc(200 << 20);
  check(large != NULL, "malloc within the limit");
  free(large);
  pthread_t thread;
  check(pthread_create(&thread, NULL, nothing, NULL) == 0, "thread within the limit");
  pthread_join(thread, NULL);
  run((char *[]){(char *)self, "leaf", NULL});
}

int main(int argc, char **argv) {
  check(argc == 2, "usage: core CASE");
  self = argv[0];
  const char *name = argv[1];
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {{"family", family}, {"peak", peak},   {"mappings", mappings}, {"threads", threads}, {"crowds", crowds}, {"same_ids", same_ids}, {"exits", exits}, {"signals", alarms_in_handlers},
               {"children", children}, {"forks", forks}, {"lookup", lookup}, {"many", many},       {"samples", samples}, {"locked", locked}, {"limited", limited}};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    if (strcmp(cases[i].name, name) == 0) return cases[i].run(), 0;
  }
  if (strcmp(name, "leaf") == 0) check(malloc(1000) != NULL, "malloc");
  else die(name);
  return 0;
}
