#include "viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_groups(const char *text, struct viewer *viewer) {
  char *end;
  for (;; text = end) {
    unsigned long group = strtoul(text, &end, 10);
    if (end == text || viewer->group_count == VIEWER_MOST_GROUPS) return;
    viewer->groups[viewer->group_count++] = (gid_t)group;
  }
}

/* proc(5), /proc/PID/status; of the four ids the second is the one that counts. */
static void read_line(const char *line, struct viewer *viewer) {
  unsigned number;
  if (sscanf(line, "State: %c", &viewer->state) == 1) return;
  if (sscanf(line, "TracerPid: %d", &viewer->tracer) == 1) return;
  if (sscanf(line, "Uid: %*u %u", &viewer->uid) == 1) return;
  if (sscanf(line, "Gid: %*u %u", &viewer->gid) == 1) return;
  if (strncmp(line, "Groups:", 7) == 0) read_groups(line + 7, viewer);
  if (strncmp(line, "NSpid:", 6) == 0) viewer->inner_pid = atoi(strrchr(line, '\t'));
  if (sscanf(line, "Seccomp: %u", &number) == 1) viewer->has_seccomp = number != 0;
  if (strncmp(line, "x86_Thread_features:", 20) == 0) viewer->has_shadow_stack = strstr(line, "shstk") != NULL;
}

static bool read_link(pid_t pid, const char *name, char *target, size_t capacity) {
  char path[64];
  if (pid == 0) snprintf(path, sizeof path, "/proc/self/%s", name);
  else snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  ssize_t length = readlink(path, target, capacity - 1);
  target[length < 0 ? 0 : length] = 0;
  return length >= 0;
}

bool viewer_read(pid_t pid, struct viewer *viewer) {
  *viewer = (struct viewer){.pid = pid, .inner_pid = pid};
  char path[64], root[PATH_MAX], mounts[64], own_mounts[64];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, file) > 0) read_line(line, viewer);
  free(line);
  fclose(file);
  if (!read_link(pid, "root", root, sizeof root) || !read_link(pid, "ns/mnt", mounts, sizeof mounts)) return false;
  viewer->shares_files = read_link(0, "ns/mnt", own_mounts, sizeof own_mounts) && strcmp(root, "/") == 0 && strcmp(mounts, own_mounts) == 0;
  return true;
}

/* In a child, which ends. */
static void become(const struct viewer *viewer) {
  if (geteuid() != 0) return;
  if (setgroups(viewer->group_count, viewer->groups) != 0 || setresgid(viewer->gid, viewer->gid, viewer->gid) != 0 ||
      setresuid(viewer->uid, viewer->uid, viewer->uid) != 0) {
    _exit(1);
  }
}

bool viewer_may_use(const struct viewer *viewer, const char *const files[2], const char *folder) {
  pid_t child = fork();
  if (child == 0) {
    become(viewer);
    for (int i = 0; files != NULL && i < 2; i++) {
      if (open(files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK) < 0) _exit(1);
    }
    _exit(folder != NULL && access(folder, W_OK | X_OK) != 0);
  }
  int status = 1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return child > 0 && status == 0;
}
