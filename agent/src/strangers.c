#include "strangers.h"

#include <stdbool.h>
#include <string.h>

#include "agent.h"
#include "arch.h"
#include "gate.h"
#include "memory.h"
#include "sandbox.h"
#include "store.h"

static bool is_recording(void) { return atomic_load(&gate.phase) == GATE_RECORDING; }
static bool is_own_file(void) { return store.header->pid == (int32_t)SYSTEM_CALL3(SYS_getpid, 0, 0, 0); }

static void note(struct layout_stranger *stranger, enum layout_without why, const char *path) {
  size_t length = strnlen(path, sizeof stranger->path - 1);
  memcpy(stranger->path, path, length);
  stranger->path[length] = 0;
  stranger->why = why;
}

void strangers_note_exec(enum layout_without why, const char *path) {
  /* Without a path it fails. */
  if (path == NULL || why == WITHOUT_NOTHING || (atomic_load(&sandbox_is_known) && !sandbox_allows_start())) return;
  /* A child made by fork that has not allocated yet has no file. */
  if (atomic_load(&gate.phase) == GATE_WAITING) agent_start_preloaded();
  if (!is_recording()) return;
  if (!is_own_file()) {
    strangers_note_child(why, path);
    return;
  }
  note(&store.header->became, why, path);
  atomic_store(&store.header->exec_time, monotonic_ns());
}

void strangers_note_failed_exec(void) {
  if (is_recording() && is_own_file()) atomic_store(&store.header->exec_time, 0);
}

void strangers_note_fork(enum layout_without why) {
  if (store_kin == NULL) return;
  store_kin->executable[sizeof store_kin->executable - 1] = 0;
  note(&store_kin->stranger, why, store_kin->executable);
  atomic_fetch_add(&store_kin->stranger_count, 1);
}

/* Children of a program that was attached to are not recorded: nobody asked for it. */
void strangers_note_child(enum layout_without why, const char *path) {
  if (why == WITHOUT_NOTHING || !is_recording() || store.header->start == START_ATTACH) return;
  note(&store.header->stranger, why, path);
  atomic_fetch_add(&store.header->stranger_count, 1);
}
