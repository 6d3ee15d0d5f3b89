/*
 * A program that attaches the agent to itself: `attach-target cycles|forks|loads|holds COUNT LIBRARY DIRECTORY`. Prints what is wrong and ends with 1.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define THREADS 3
/* glibc's heaps and the agent's own memory have their size by then. */
#define WARM_UP 20
/* What is allocated during a cycle and kept until after it: the recording must know all of it. */
#define KEPT 10
#define KEPT_BYTES 1000

static int (*attach_start)(const char *), (*attach_stop)(void);
static const char *directory;
static int rounds;
static volatile int running = 1;

static void fail(const char *what, long value) {
  printf("attach-target: %s (%ld)\n", what, value);
  fflush(stdout);
  _exit(1);
}

static void load(const char *library) {
  void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
  if (handle == NULL) fail(dlerror(), 0);
  *(void **)&attach_start = dlsym(handle, "memsurge_attach_start");
  *(void **)&attach_stop = dlsym(handle, "memsurge_attach_stop");
  if (attach_start == NULL || attach_stop == NULL) fail("library has no entry points", 0);
}

static void configure(void) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/tmp/memsurge-agent-%d.cfg", getpid());
  int length = snprintf(text, sizeof text, "exact,65536,%s\n", directory);
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0 || write(fd, text, length) != length) fail("cannot write the configuration", fd);
  close(fd);
}

static void start(void) {
  configure();
  int result = attach_start(NULL);
  if (result != 0) fail("start refused", result);
}

static void stop(void) {
  int result = attach_stop();
  if (result != 0) fail("stop refused", result);
}

static void *churn(void *seed) {
  unsigned random = (unsigned)(long)seed;
  void *blocks[64] = {0};
  while (running) {
    void **block = &blocks[rand_r(&random) % 64];
    free(*block);
    switch (rand_r(&random) % 4) {
      case 0: *block = calloc(1, rand_r(&random) % 2000); break;
      case 1: *block = realloc(malloc(10), 20 + rand_r(&random) % 3000); break;
      case 2: *block = strdup("some text"); break;
      default: *block = malloc(rand_r(&random) % 500);
    }
  }
  for (int i = 0; i < 64; i++) free(blocks[i]);
  return NULL;
}

static pthread_t threads[THREADS];
static void start_load(void) {
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
}
static void end_load(void) {
  running = 0;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static long count_entries(const char *path, const char *suffix) {
  DIR *opened = opendir(path);
  long count = 0;
  for (struct dirent *entry; (entry = readdir(opened)) != NULL;) {
    size_t length = strlen(entry->d_name), wanted = strlen(suffix);
    count += length >= wanted && strcmp(entry->d_name + length - wanted, suffix) == 0;
  }
  closedir(opened);
  return count;
}

struct usage {
  long space_kib, mappings, descriptors, threads;
};

static struct usage usage_now(void) {
  struct usage usage = {.descriptors = count_entries("/proc/self/fd", ""), .threads = count_entries("/proc/self/task", "")};
  char line[512];
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status)) sscanf(line, "VmSize: %ld", &usage.space_kib);
  fclose(status);
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) usage.mappings++;
  fclose(maps);
  return usage;
}

/* The glibc heaps of the load may still grow a little; a lost recording has a mapping for each section of its file. */
static void expect_same(struct usage before, struct usage after) {
  if (after.descriptors != before.descriptors) fail("descriptors leak", after.descriptors - before.descriptors);
  if (after.threads != before.threads) fail("threads leak", after.threads - before.threads);
  if (after.mappings > before.mappings + 10) fail("mappings leak", after.mappings - before.mappings);
  if (after.space_kib > before.space_kib + 65536) fail("address space leaks, KiB", after.space_kib - before.space_kib);
}

static void cycle(void) {
  void *kept[KEPT];
  start();
  for (int i = 0; i < KEPT; i++) kept[i] = malloc(KEPT_BYTES);
  stop();
  for (int i = 0; i < KEPT; i++) free(kept[i]);
}

static void run_cycles(void) {
  start_load();
  for (int i = 0; i < WARM_UP; i++) cycle();
  struct usage before = usage_now();
  for (int i = WARM_UP; i < rounds; i++) cycle();
  struct usage after = usage_now();
  end_load();
  expect_same(before, after);
  if (count_entries(directory, ".agent") != rounds) fail("files of recordings", count_entries(directory, ".agent"));
}

/* Children use the allocator and the loader as any program may, in the middle of a recording and of its start and end. */
static void run_forks(void) {
  start_load();
  for (int i = 0; i < rounds; i++) {
    if (i % 10 == 0) start();
    pid_t child = fork();
    if (child == 0) {
      free(strdup("in the child"));
      if (dlsym(RTLD_DEFAULT, "malloc") == NULL) _exit(2);
      void *handle = dlopen("libm.so.6", RTLD_LAZY);
      _exit(handle != NULL && attach_stop() == 2 ? 0 : 3);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0) fail("child ended with", status);
    if (i % 10 == 9) stop();
  }
  end_load();
  if (count_entries(directory, ".agent") != rounds / 10) fail("files of recordings", count_entries(directory, ".agent"));
}

/* DIRECTORY/large.so has thousands of slots: while they are being filled in, nobody else may touch them. */
static void *load_and_unload(void *name) {
  for (int loads = 1; running; loads++) {
    void *handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle == NULL) fail(dlerror(), 0);
    dlclose(handle);
    /* The loader's lock is not a fair one: without a pause others wait for it for seconds. */
    if (loads % 8 == 0) usleep(50);
  }
  return NULL;
}

static void run_loads(void) {
  pthread_t loader;
  char library[4096];
  snprintf(library, sizeof library, "%s/large.so", directory);
  pthread_create(&loader, NULL, load_and_unload, library);
  for (int i = 0; i < rounds; i++) {
    start();
    for (int looks = 0; looks < 20; looks++) dlsym(RTLD_DEFAULT, "malloc");
    stop();
  }
  running = 0;
  pthread_join(loader, NULL);
}

#define HELD_UP 7
static volatile int wanted, held, released;

/* Holds the thread once where it is if that is inside of the agent. */
static void hold(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  if (!wanted) return;
  Dl_info at;
  const ucontext_t *interrupted = context;
  if (dladdr((void *)interrupted->uc_mcontext.gregs[REG_RIP], &at) == 0 || strstr(at.dli_fname, "libmemsurge") == NULL) return;
  wanted = 0;
  held = 1;
  while (!released) usleep(1000);
  held = 0;
}

/* A thread that does not come out of the agent: after a stop has given up on it, starts are refused until it does. */
static void run_holds(void) {
  sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = hold, .sa_flags = SA_SIGINFO | SA_RESTART}, NULL);
  start_load();
  for (int refused = 0, tries = 0; refused < rounds; tries++) {
    if (tries > 100) fail("starts that were refused", refused);
    released = 0;
    start();
    for (wanted = 1; !held; usleep(1000)) pthread_kill(threads[0], SIGUSR1);
    stop();
    configure();
    int result = attach_start(NULL);
    for (released = 1; held; usleep(1000));
    if (result != 0 && result != HELD_UP) fail("start while a thread is held up", result);
    refused += result == HELD_UP;
    if (result == HELD_UP && (result = attach_start(NULL)) != 0) fail("start after the thread was held up", result);
    stop();
  }
  end_load();
}

int main(int count, char **arguments) {
  if (count != 5) fail("usage: attach-target cycles|forks|loads|holds COUNT LIBRARY DIRECTORY", count);
  rounds = atoi(arguments[2]);
  load(arguments[3]);
  directory = arguments[4];
  if (strcmp(arguments[1], "cycles") == 0) run_cycles();
  else if (strcmp(arguments[1], "loads") == 0) run_loads();
  else if (strcmp(arguments[1], "holds") == 0) run_holds();
  else run_forks();
  return 0;
}
