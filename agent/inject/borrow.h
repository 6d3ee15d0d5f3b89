/* Has a thread of a running program load the agent and start it. */
#ifndef INJECT_BORROW_H
#define INJECT_BORROW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct request {
  pid_t pid;
  /** As the program sees it. */
  const char *library;
  /** For memsurge_attach_start. */
  const char *config;
  /** When all is let go, monotonic ns. */
  uint64_t deadline;
  /** False: nobody waits for it any more, so nothing is begun. */
  bool (*is_wanted)(void);
  /** Its system calls are filtered (seccomp): it is looked at whether loading the agent would end it. */
  bool has_filter;
};

enum outcome_kind {
  /** `result` is what the agent's start answered. */
  OUTCOME_STARTED,
  /** The library could not be loaded; `reason` says why. */
  OUTCOME_NOT_LOADED,
  /** Nothing was done; `reason` says why not. */
  OUTCOME_REFUSED,
};

struct outcome {
  enum outcome_kind kind;
  int32_t result;
  char reason[512];
};

/**
 * Borrows one thread; no other is stopped. The thread restores itself if this process dies at any moment. Gives up at the
 * deadline, with the program left as it was; if the thread is in the middle of loading by then, it goes on by itself.
 */
struct outcome borrow(const struct request *request);

#endif
