#include "agent.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "blocks.h"
#include "live.h"
#include "maps.h"
#include "memory.h"
#include "real.h"
#include "samples.h"
#include "sandbox.h"
#include "stacks.h"
#include "store.h"
#include "strangers.h"
#include "threads.h"
#include "unwind.h"

#define FENCE_NS 20000000u

struct gate gate;

static _Atomic uint64_t skipped_early;
/* What this process, or the one it was forked from, was asked to record; empty while it was not looked for. */
static struct agent_config wanted;
static int32_t started_pid;
/* A stop gave up waiting for a thread: its file is still mapped. */
static bool is_held_up;

void agent_skipped_early(void) { atomic_fetch_add_explicit(&skipped_early, 1, memory_order_relaxed); }

static int32_t own_pid(void) { return (int32_t)SYSTEM_CALL3(SYS_getpid, 0, 0, 0); }

static const char *parse_number(const char *text, uint64_t *value) {
  *value = 0;
  for (; *text >= '0' && *text <= '9' && *value < UINT64_MAX / 100; text++) *value = *value * 10 + (uint64_t)(*text - '0');
  return text;
}

bool agent_parse(const char *text, struct agent_config *config) {
  if (strncmp(text, "exact,", 6) == 0) config->mode = MODE_EXACT;
  else if (strncmp(text, "sampled,", 8) == 0) config->mode = MODE_SAMPLED;
  else return false;
  text = parse_number(strchr(text, ',') + 1, &config->mean_bytes);
  if (*text != ',' || (config->mode == MODE_SAMPLED && config->mean_bytes == 0)) return false;
  size_t length = strlen(++text);
  if (length == 0 || length >= sizeof config->directory) return false;
  memcpy(config->directory, text, length + 1);
  return true;
}

static char *append_text(char *at, const char *text) {
  size_t length = strlen(text);
  memcpy(at, text, length + 1);
  return at + length;
}

static char *append_number(char *at, uint64_t value) {
  char digits[24], *digit = digits + sizeof digits - 1;
  *digit = 0;
  do *--digit = (char)('0' + value % 10);
  while (value /= 10);
  return append_text(at, digit);
}

/* `<directory>/<pid>-<ns>.agent`: an image that execs keeps its pid, so the pid alone is no name. */
static enum layout_without create_file(const struct agent_config *config, uint64_t now) {
  char path[sizeof config->directory + 64];
  char *at = append_text(append_number(append_text(append_text(path, config->directory), "/"), (uint64_t)own_pid()), "-");
  append_text(append_number(at, now), ".agent");
  return store_create(path);
}

static void read_command_line(struct layout_header *header) {
  SYSTEM_CALL4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", header->executable, sizeof header->executable - 1);
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  SYSTEM_CALL3(SYS_read, fd, header->command_line, sizeof header->command_line - 1);
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
}

/* The link reads "pid:[4026531836]". */
static uint64_t own_pid_namespace(void) {
  char text[64];
  long length = SYSTEM_CALL4(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/pid", text, sizeof text - 1);
  text[length > 0 ? length : 0] = 0;
  uint64_t inode = 0;
  if (strncmp(text, "pid:[", 5) == 0) parse_number(text + 5, &inode);
  return inode;
}

static void fill_header(const struct agent_config *config, enum layout_start start, uint64_t now) {
  struct layout_header *header = store.header;
  header->version = LAYOUT_VERSION;
  header->pid = own_pid();
  header->parent_pid = (int32_t)SYSTEM_CALL3(SYS_getppid, 0, 0, 0);
  header->pid_namespace = own_pid_namespace();
  header->mode = config->mode;
  header->arch = ARCH_THIS;
  header->start = start;
  header->section_count = SECTION_COUNT;
  header->start_time = now;
  header->mean_bytes = config->mode == MODE_SAMPLED ? config->mean_bytes : 0;
  /* A row of counters that never changed has epoch 0 and must not look as if it were of the first maximum. */
  header->peak_epoch = 1;
  header->shadowed = real_is_shadowed() && start != START_ATTACH;
  header->losses.skipped_count = atomic_exchange(&skipped_early, 0);
  read_command_line(header);
  memcpy(header->magic, LAYOUT_MAGIC, sizeof header->magic);
}

/* What is done once and holds for children made by fork too. */
static bool prepare(void) {
  static enum { UNTRIED, READY, FAILED } prepared;
  if (prepared == UNTRIED) {
    real_resolve();
    bool ready = SYSTEM_CALL3(SYS_madvise, &gate, sizeof gate, MADV_WIPEONFORK) == 0 && threads_prepare();
    prepared = ready ? READY : FAILED;
  }
  return prepared == READY;
}

enum layout_without agent_start(const struct agent_config *config, enum layout_start start) {
  if (!prepare()) return WITHOUT_FILE;
  sandbox_note_start();
  uint64_t now = monotonic_ns();
  enum layout_without why = create_file(config, now);
  if (why != WITHOUT_NOTHING) return why;
  gate.mode = config->mode;
  gate.filter = NULL;
  bool after_fork = started_pid != own_pid();
  threads_reset(after_fork);
  started_pid = own_pid();
  unwind_start();
  live_start();
  blocks_start();
  maps_start(after_fork);
  if (!stacks_start(after_fork) || (config->mode == MODE_SAMPLED && !samples_start())) {
    store_close();
    return WITHOUT_FILE;
  }
  fill_header(config, start, now);
  gate.recording++;
  atomic_store(&store.header->state, STATE_RECORDING);
  atomic_store(&gate.phase, GATE_RECORDING);
  return WITHOUT_NOTHING;
}

void agent_start_preloaded(void) {
  uint32_t phase = GATE_WAITING;
  if (!atomic_compare_exchange_strong(&gate.phase, &phase, GATE_STARTING)) return;
  bool is_fork = started_pid != 0;
  /* A child of a program that was attached to is not recorded: nobody asked for it, and no thread of ours came along. */
  bool asked = is_fork && wanted.mode != 0;
  if (!is_fork) {
    const char *text = real_environment("MEMSURGE_AGENT");
    asked = text != NULL && agent_parse(text, &wanted);
  }
  enum layout_without why = !is_fork || sandbox_allows_start() ? WITHOUT_NOTHING : WITHOUT_SYSTEM_CALLS;
  if (asked && why == WITHOUT_NOTHING) why = agent_start(&wanted, is_fork ? START_FORK : START_PRELOAD);
  if (asked && why == WITHOUT_NOTHING) return;
  atomic_store(&gate.phase, GATE_INERT);
  if (asked && is_fork) strangers_note_fork(why);
}

static void end(void) {
  atomic_store(&store.header->end_time, monotonic_ns());
  atomic_store(&store.header->state, STATE_STOPPED);
}

void agent_stop_requested(void) {
  uint32_t phase = GATE_RECORDING;
  if (atomic_compare_exchange_strong(&gate.phase, &phase, GATE_STOPPED)) end();
}

/* Where membarrier is refused (seccomp), time has to do: no processor holds a store back for so long. */
static void fence_all_threads(void) {
  if (SYSTEM_CALL3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
  SYSTEM_CALL3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  if (SYSTEM_CALL3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
  for (uint64_t end = monotonic_ns() + FENCE_NS; monotonic_ns() < end;) SYSTEM_CALL3(SYS_sched_yield, 0, 0, 0);
}

void agent_stop(void) {
  uint32_t phase = GATE_RECORDING;
  bool was_recording = atomic_compare_exchange_strong(&gate.phase, &phase, GATE_STOPPED);
  if (!was_recording && phase != GATE_STOPPED) return;
  if (store.header == NULL) return;
  fence_all_threads();
  bool quiet = threads_quiesce();
  if (was_recording) end();
  /* Rather lost address space than a fault in the program. */
  if (quiet) store_close();
  else is_held_up = true;
}

bool agent_settle(void) {
  if (started_pid != own_pid()) is_held_up = false; /* a child made by fork has neither the thread nor the file */
  if (!is_held_up) return true;
  if (!threads_quiesce()) return false;
  is_held_up = false;
  store_close();
  return true;
}

/* A program that allocates nothing, or whose malloc is another's, still gets its file: so that nobody has to wonder. */
__attribute__((constructor)) static void on_load(void) {
  if (atomic_load(&gate.phase) == GATE_WAITING && real_is_preloaded()) agent_start_preloaded();
}

/* Libraries may still release what they hold: recording goes on, only the end is noted. */
__attribute__((destructor)) static void on_exit_of_process(void) {
  struct thread *thread = thread_enter();
  if (thread == NULL) return;
  end();
  thread_leave(thread);
}
