#include "attach.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "arch.h"
#include "control.h"
#include "gate.h"
#include "got.h"
#include "heap-use.h"
#include "hooks.h"
#include "real.h"
#include "store.h"

enum attach_phase {
  PHASE_IDLE,
  /** Being started or stopped by some thread. */
  PHASE_CHANGING,
  PHASE_RECORDING,
};
static _Atomic uint32_t phase;
/* In a child made by fork the phase is its parent's: no thread came along. */
static int32_t phase_pid;

static int32_t own_pid(void) { return (int32_t)SYSTEM_CALL3(SYS_getpid, 0, 0, 0); }

static bool change(uint32_t from) { return atomic_compare_exchange_strong(&phase, &from, PHASE_CHANGING); }

static void config_path(char *path) {
  char digits[16], *digit = digits + sizeof digits - 1;
  *digit = 0;
  for (uint32_t pid = (uint32_t)own_pid(); pid != 0; pid /= 10) *--digit = (char)('0' + pid % 10);
  strcpy(path, ATTACH_CONFIG_PREFIX);
  strcat(path, digit);
  strcat(path, ATTACH_CONFIG_SUFFIX);
}

/* Only what the program's own user or root wrote: the directory says where files are made in the program's name. */
static bool is_trusted(long fd) {
  struct stat status;
  if (SYSTEM_CALL3(SYS_fstat, fd, &status, 0) != 0 || !S_ISREG(status.st_mode)) return false;
  bool by_owner = status.st_uid == 0 || status.st_uid == (uid_t)SYSTEM_CALL3(SYS_geteuid, 0, 0, 0);
  return by_owner && (status.st_mode & 077) == 0 && status.st_nlink == 1;
}

static bool read_config_file(struct agent_config *config) {
  static char text[sizeof config->directory + 64];
  char path[sizeof ATTACH_CONFIG_PREFIX + 16 + sizeof ATTACH_CONFIG_SUFFIX];
  config_path(path);
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd < 0) return false;
  bool trusted = is_trusted(fd);
  long length = trusted ? SYSTEM_CALL3(SYS_read, fd, text, sizeof text - 1) : 0;
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
  if (!trusted) return false;
  SYSTEM_CALL3(SYS_unlinkat, AT_FDCWD, path, 0);
  if (length <= 0 || text[length - 1] != '\n') return false;
  text[length - 1] = 0;
  return agent_parse(text, config);
}

static bool prepare(void) {
  static bool prepared;
  if (!prepared) {
    real_resolve();
    prepared = got_prepare(hooks);
  }
  return prepared;
}

/*
 * All modules are led to the hooks before anything is recorded, and nothing is recorded any more when they are led back:
 * otherwise a block could be allocated through a hook and freed past it.
 */
static enum attach_result start(const char *text) {
  static struct agent_config config;
  if (atomic_load(&gate.phase) == GATE_RECORDING) return ATTACH_RECORDING;
  if (!agent_settle()) return ATTACH_HELD_UP;
  if (text != NULL ? !agent_parse(text, &config) : !read_config_file(&config)) return ATTACH_NO_CONFIG;
  if (!prepare()) return ATTACH_NO_THREAD;
  uint32_t waiting = GATE_WAITING;
  atomic_compare_exchange_strong(&gate.phase, &waiting, GATE_INERT);
  uint64_t before_bytes = heap_in_use();
  enum attach_result result = got_connect() == 0 ? ATTACH_NO_SLOTS : agent_start(&config, START_ATTACH) == WITHOUT_NOTHING ? ATTACH_DONE : ATTACH_NO_FILE;
  if (result == ATTACH_DONE) store.header->before_bytes = before_bytes;
  if (result == ATTACH_DONE && !control_start()) {
    agent_stop();
    result = ATTACH_NO_THREAD;
  }
  if (result != ATTACH_DONE) got_disconnect();
  return result;
}

static void end(void) {
  agent_stop();
  got_disconnect();
  atomic_store(&phase, PHASE_IDLE);
}

EXPORT int memsurge_attach_stop(void) {
  if (phase_pid != own_pid() || !change(PHASE_RECORDING)) return ATTACH_IDLE;
  control_stop();
  end();
  return ATTACH_DONE;
}

EXPORT int memsurge_attach_start(const char *config) {
  int32_t pid = own_pid();
  if (phase_pid != pid) {
    phase_pid = pid;
    atomic_store(&phase, PHASE_IDLE);
  }
  if (atomic_load(&phase) == PHASE_RECORDING && control_may_be_replaced()) memsurge_attach_stop();
  if (!change(PHASE_IDLE)) return ATTACH_RECORDING;
  enum attach_result result = start(config);
  atomic_store(&phase, result == ATTACH_DONE ? PHASE_RECORDING : PHASE_IDLE);
  return result;
}

bool attach_end_by_control(void) {
  if (!change(PHASE_RECORDING)) return false;
  end();
  return true;
}

struct class_id {
  uint32_t data1;
  uint16_t data2, data3;
  uint8_t data4[8];
};

static int hex_digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* As text, a class id's first three fields are numbers, the rest bytes. */
static bool is_class(const struct class_id *id, const char *text) {
  static const uint8_t places[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  for (int i = 0; i < 16; i++) {
    if (*text == '-') text++;
    int byte = hex_digit(text[0]) * 16 + hex_digit(text[1]);
    if (((const uint8_t *)id)[places[i]] != byte) return false;
    text += 2;
  }
  return true;
}

#define CLASS_NOT_AVAILABLE 0x80040111u

/** What a .NET runtime calls in a profiler; see attach.h. */
EXPORT uint32_t DllGetClassObject(const struct class_id *class_id, const struct class_id *interface_id, void **object) {
  (void)interface_id;
  *object = NULL;
  if (is_class(class_id, ATTACH_CLASS_START)) return ATTACH_HRESULT(memsurge_attach_start(NULL));
  if (is_class(class_id, ATTACH_CLASS_STOP)) return ATTACH_HRESULT(memsurge_attach_stop());
  return CLASS_NOT_AVAILABLE;
}
