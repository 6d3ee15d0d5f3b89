/*
 * `restless KIND`: does one thing all the time and checks that nobody meddles with it, until SIGTERM. Prints "ready PID", what
 * went wrong, "errors N"; ends with 9, or 1 when something did.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static int errors;

static void on_term(int number) {
  (void)number;
  stop = 1;
}

static void wrong(const char *what, long value) {
  if (__atomic_fetch_add(&errors, 1, __ATOMIC_RELAXED) < 20) printf("%s: %ld\n", what, value);
}

/* Registers: each holds a number of its own over a long stretch without calls; the vector registers and their modes too. */
static uint64_t spin_with_registers(uint64_t rounds, uint32_t *modes) {
  uint64_t sum;
  static const uint64_t lanes[4] = {11, 22, 33, 44};
  uint64_t back[4];
  __asm__ volatile(
      "push %%rbp\n mov $0x5555, %%ebp\n ldmxcsr (%[modes])\n fld1\n fldpi\n vmovdqu (%[lanes]), %%ymm7\n vmovdqu (%[lanes]), %%ymm13\n"
      "mov $8, %%r8d\n mov $9, %%r9d\n mov $10, %%r10d\n mov $11, %%r11d\n mov $12, %%r12d\n mov $13, %%r13d\n mov $14, %%r14d\n mov $15, %%r15d\n"
      "1: dec %[rounds]\n jnz 1b\n"
      "faddp\n fstp %%st(0)\n vpaddq %%ymm7, %%ymm13, %%ymm13\n vmovdqu %%ymm13, (%[back])\n stmxcsr (%[modes])\n"
      "lea (%%r8,%%r9), %%rax\n add %%r10, %%rax\n add %%r11, %%rax\n add %%r12, %%rax\n add %%r13, %%rax\n add %%r14, %%rax\n add %%r15, %%rax\n add %%rbp, %%rax\n"
      "pop %%rbp\n vzeroupper\n"
      : "=a"(sum), [rounds] "+c"(rounds)
      : [modes] "S"(modes), [lanes] "D"(lanes), [back] "d"(back)
      : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm7", "xmm13", "memory", "cc");
  for (int i = 0; i < 4; i++) sum += back[i] == 2 * lanes[i] ? 0 : 1;
  return sum;
}

static void do_registers(void) {
  while (!stop) {
    uint32_t modes = 0x7f80; /* rounds towards zero, unlike everybody else */
    uint64_t sum = spin_with_registers(2000000, &modes);
    if (sum != 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 0x5555) wrong("registers", (long)sum);
    if ((modes & ~0x3fu) != 0x7f80) wrong("mode of vectors", modes);
  }
}

/* One thread that allocates as fast as it can, with errno in use. */
static void do_malloc(void) {
  static struct {
    unsigned char *at, value;
    size_t bytes;
  } blocks[500];
  unsigned random = 1;
  while (!stop) {
    unsigned i = rand_r(&random) % 500;
    if (blocks[i].at != NULL && (blocks[i].at[0] != blocks[i].value || blocks[i].at[blocks[i].bytes - 1] != blocks[i].value)) wrong("block", i);
    free(blocks[i].at);
    blocks[i].bytes = rand_r(&random) % 3000 + 1;
    blocks[i].at = malloc(blocks[i].bytes);
    blocks[i].value = (unsigned char)random;
    memset(blocks[i].at, blocks[i].value, blocks[i].bytes);
    errno = 1234;
    for (volatile int spin = 0; spin < 20; spin++) continue;
    if (errno != 1234) wrong("errno", errno);
  }
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define WAIT_MS 300
static const struct timespec wait_time = {.tv_nsec = WAIT_MS * 1000000L};
static int never_written[2], word;

static long wait_nanosleep(void) { return nanosleep(&wait_time, NULL); }
static long wait_clock_nanosleep(void) { return -clock_nanosleep(CLOCK_MONOTONIC, 0, &wait_time, NULL); }
static long wait_poll(void) { return poll(&(struct pollfd){.fd = never_written[0], .events = POLLIN}, 1, WAIT_MS); }
static long wait_ppoll(void) { return ppoll(&(struct pollfd){.fd = never_written[0], .events = POLLIN}, 1, &wait_time, NULL); }
static long wait_select(void) { return select(0, NULL, NULL, NULL, &(struct timeval){.tv_usec = WAIT_MS * 1000}); }
static long wait_futex(void) {
  long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &wait_time);
  return result == -1 && errno == ETIMEDOUT ? 0 : -1;
}
static long wait_epoll(void) {
  struct epoll_event event;
  int epoll = epoll_create1(0);
  long result = epoll_wait(epoll, &event, 1, WAIT_MS);
  close(epoll);
  return result;
}
static long wait_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  return sigtimedwait(&set, NULL, &wait_time) == -1 && errno == EAGAIN ? 0 : -1;
}

static const struct wait {
  const char *name;
  long (*wait)(void);
} waits[] = {
    {"nanosleep", wait_nanosleep}, {"clock_nanosleep", wait_clock_nanosleep}, {"poll", wait_poll},   {"ppoll", wait_ppoll},
    {"select", wait_select},       {"futex", wait_futex},                     {"epoll", wait_epoll}, {"sigtimedwait", wait_signal},
};
#define WAITS (sizeof waits / sizeof *waits)

/* Nobody but SIGTERM, which ends it, may cut a wait short. */
static void do_wait(const struct wait *one) {
  while (!stop) {
    int64_t from = now_ms();
    long result = one->wait();
    if (stop) return;
    if (result != 0) wrong(one->name, result == -1 ? -errno : result);
    if (now_ms() - from < WAIT_MS - 1) wrong(one->name, now_ms() - from);
  }
}

/* Signals with a number each: all must come, in order. */
static volatile long received;
static volatile int last_number;
static void on_numbered(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  if (info->si_value.sival_int != last_number + 1) wrong("signal out of order", info->si_value.sival_int);
  last_number = info->si_value.sival_int;
  received++;
}
static pthread_t main_thread;
static void *send_signals(void *sent) {
  for (int number = 1; !stop; number++) {
    while (pthread_sigqueue(main_thread, SIGRTMIN + 1, (union sigval){.sival_int = number}) != 0) usleep(100);
    (*(long *)sent)++;
    usleep(200);
  }
  return NULL;
}
static void do_signals(void) {
  static long sent;
  pthread_t sender;
  struct sigaction action = {.sa_sigaction = on_numbered, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGRTMIN + 1, &action, NULL);
  main_thread = pthread_self();
  pthread_create(&sender, NULL, send_signals, &sent);
  while (!stop) free(malloc(100)), usleep(50);
  pthread_join(sender, NULL);
  usleep(1000);
  if (sent != received) wrong("signals lost", sent - received);
}

/* Threads that allocate, threads that come and go, libraries, children. */
static void *churn(void *rounds) {
  unsigned random = (unsigned)(uintptr_t)rounds;
  for (long i = 0; !stop && i < (long)rounds; i++) {
    char *block = realloc(malloc(rand_r(&random) % 2000 + 1), rand_r(&random) % 4000 + 1);
    block[0] = 1;
    free(block);
    if (i % 512 == 0) usleep(300);
  }
  return NULL;
}
static void *load_libraries(void *unused) {
  static const char *const names[] = {"libm.so.6", "libgcc_s.so.1", "libutil.so.1", "libresolv.so.2"};
  for (unsigned i = 0; !stop; i++) {
    void *handle = dlopen(names[i % 4], RTLD_NOW | RTLD_LOCAL);
    if (handle != NULL) dlclose(handle);
    usleep(1000);
  }
  return unused;
}
static void *start_threads(void *unused) {
  while (!stop) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, churn, (void *)1000L) == 0) pthread_join(thread, NULL);
  }
  return unused;
}
static void do_load(void) {
  pthread_t threads[4];
  pthread_create(&threads[0], NULL, churn, (void *)(1L << 40));
  pthread_create(&threads[1], NULL, churn, (void *)(1L << 41));
  pthread_create(&threads[2], NULL, load_libraries, NULL);
  pthread_create(&threads[3], NULL, start_threads, NULL);
  while (!stop) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      for (int i = 0; i < 100; i++) free(malloc(i * 10 + 1));
      _exit(42);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 42) wrong("child", status);
    usleep(5000);
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

/* The loader's lock is in another thread's hands: the library waits in its constructor, see held.c. */
static void *load_held(void *path) { return dlopen(path, RTLD_NOW); }
static void do_held(const char *path) {
  pthread_t thread;
  pthread_create(&thread, NULL, load_held, (void *)path);
  while (!stop) usleep(2000);
  pthread_join(thread, NULL);
}

/* A filter that answers one system call in its own way: as a sandbox does, or as a container's runtime. */
static void do_filtered(uint32_t number, uint32_t answer) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 4, .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) wrong("filter", errno);
  while (!stop) free(malloc(100)), usleep(1000);
}

/* Holds another process, as a debugger does, until it is killed. */
static void do_trace(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) wrong("trace", errno);
  printf("tracing\n");
  while (!stop) pause();
}

int main(int count, char **arguments) {
  const char *kind = count > 1 ? arguments[1] : "";
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  sigset_t user;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &user, NULL);
  if (pipe(never_written) != 0) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("ready %d\n", (int)getpid());
  for (size_t i = 0; i < WAITS; i++) {
    if (strcmp(kind, waits[i].name) == 0) do_wait(&waits[i]);
  }
  if (strcmp(kind, "registers") == 0) do_registers();
  if (strcmp(kind, "malloc") == 0) do_malloc();
  if (strcmp(kind, "signals") == 0) do_signals();
  if (strcmp(kind, "load") == 0) do_load();
  if (strcmp(kind, "filtered") == 0) do_filtered(SYS_openat, SECCOMP_RET_KILL_PROCESS);
  if (strcmp(kind, "contained") == 0) do_filtered(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  if (strcmp(kind, "trace") == 0) do_trace(atoi(arguments[2]));
  if (strcmp(kind, "held") == 0) do_held(arguments[2]);
  printf("errors %d\n", errors);
  return errors == 0 ? 9 : 1;
}
