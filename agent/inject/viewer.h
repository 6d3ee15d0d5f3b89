/* Who the program is and what it sees of the file system. */
#ifndef INJECT_VIEWER_H
#define INJECT_VIEWER_H

#include <stdbool.h>
#include <sys/types.h>

#define VIEWER_MOST_GROUPS 4096

struct viewer {
  pid_t pid, inner_pid;
  uid_t uid;
  gid_t gid;
  gid_t groups[VIEWER_MOST_GROUPS];
  size_t group_count;
  /** It has the same files at the same paths as we have. */
  bool shares_files;
  char state;
  pid_t tracer;
  bool has_seccomp, has_shadow_stack;
};

/** False: it has ended, or may not be looked at (errno). */
bool viewer_read(pid_t pid, struct viewer *viewer);
/** Whether the program may open all `files` for reading and, unless NULL, make files in `folder`. Asked as the program's user. */
bool viewer_may_use(const struct viewer *viewer, const char *const files[2], const char *folder);

#endif
