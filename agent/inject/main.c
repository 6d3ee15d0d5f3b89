/*
 * memsurge-inject load|lay PID DIRECTORY LIBRARIES MODE
 *
 * Gets the agent into the running program PID. `lay` only lays it where the program can see it, for somebody else to load;
 * `load` also has the program load and start it. DIRECTORY is where the agent should make its file, LIBRARIES where its
 * libraries lie, MODE how its configuration begins ("exact,65536").
 *
 * A process and session of its own, so that nothing that happens to the recorder can leave the program in the middle. Says on
 * standard output, a line each: `library PATH`, `tls-library PATH`, `directory PATH`, then of `load` one of `started RESULT`,
 * `not-loaded REASON`, `refused REASON`. `lay` goes on when a line comes on standard input. Then what was laid is taken away; a
 * folder for the agent's file when standard input ends, however the recorder does.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "borrow.h"
#include "stage.h"
#include "thread.h"
#include "viewer.h"

#define PATIENCE_NS ((uint64_t)10000000000)
/* The kernel lets all go when we end: the last resort, should we hang ourselves. */
#define LAST_RESORT_SECONDS 30

static bool has_filter;

static const char *why_not_now(pid_t pid) {
  static struct viewer viewer;
  static char text[128];
  if (!viewer_read(pid, &viewer)) return errno == EACCES || errno == EPERM ? "no permission" : "it has ended";
  if (viewer.state == 'Z' || viewer.state == 'X') return "it has ended";
  if (viewer.tracer != 0) {
    snprintf(text, sizeof text, "a debugger is attached to it (process %d)", viewer.tracer);
    return text;
  }
  if (viewer.state == 'T') {
    snprintf(text, sizeof text, "it is stopped; let it go on first (kill -CONT %d)", pid);
    return text;
  }
  has_filter = viewer.has_seccomp;
  if (viewer.has_shadow_stack) return "it runs with a shadow stack; start it with memsurge";
  return NULL;
}

static void print_outcome(const struct outcome *outcome) {
  if (outcome->kind == OUTCOME_STARTED) printf("started %d\n", outcome->result);
  else printf("%s %s\n", outcome->kind == OUTCOME_NOT_LOADED ? "not-loaded" : "refused", outcome->reason);
  fflush(stdout);
}

/* True: the recorder is still there. */
static bool is_wanted(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&input, 1, 0) == 0 || (input.revents & POLLHUP) == 0;
}

static bool load(const struct wish *wish, const struct stage *stage) {
  static char config[STAGE_PATH_BYTES + 64];
  struct request request = {.pid = wish->pid, .library = stage->library, .config = config, .deadline = monotonic_ns() + PATIENCE_NS, .is_wanted = is_wanted, .has_filter = has_filter};
  snprintf(config, sizeof config, "%s,%s", wish->mode, stage->directory);
  struct outcome outcome = borrow(&request);
  if (outcome.kind == OUTCOME_NOT_LOADED && strcmp(stage->library, stage->tls_library) != 0) {
    request.library = stage->tls_library;
    outcome = borrow(&request);
  }
  print_outcome(&outcome);
  return outcome.kind == OUTCOME_STARTED && outcome.result == 0;
}

/* The next line, or the end. */
static bool wait_for_line(void) {
  char byte;
  for (;;) {
    ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got == 0 || (got < 0 && errno != EINTR)) return false;
    if (got == 1 && byte == '\n') return true;
  }
}

int main(int count, char **arguments) {
  if (count != 6 || (strcmp(arguments[1], "load") != 0 && strcmp(arguments[1], "lay") != 0)) {
    fprintf(stderr, "usage: memsurge-inject load|lay PID DIRECTORY LIBRARIES MODE\n");
    return 2;
  }
  bool loads = strcmp(arguments[1], "load") == 0;
  struct wish wish = {.pid = atoi(arguments[2]), .directory = arguments[3], .libraries = arguments[4], .mode = arguments[5], .in_file = !loads};
  /* The end of the recorder or of its terminal is seen by standard input. */
  for (const int *number = (const int[]){SIGINT, SIGHUP, SIGTERM, SIGPIPE, SIGQUIT, 0}; *number != 0; number++) signal(*number, SIG_IGN);
  alarm(LAST_RESORT_SECONDS);

  static struct stage stage;
  const char *problem = loads ? why_not_now(wish.pid) : NULL;
  if (problem == NULL) problem = stage_make(&wish, &stage);
  bool started = false;
  if (problem != NULL) {
    printf("refused %s\n", problem);
    fflush(stdout);
  } else {
    printf("library %s\ntls-library %s\ndirectory %s\n", stage.library, stage.tls_library, stage.directory_here);
    fflush(stdout);
    started = loads ? load(&wish, &stage) : wait_for_line();
  }
  stage_remove_libraries(&stage);
  if (started && stage.files.self > 0) {
    alarm(0);
    while (wait_for_line()) continue;
  }
  stage_remove_files(&stage);
  return 0;
}
