#include "modules-path.h"

#include <fcntl.h>
#include <stdbool.h>

#include "arch.h"

/* A line is "start-end perms offset device inode   path\n", read character by character: it may straddle two reads. */
struct line {
  uint64_t start;
  bool has_start;
  size_t length;
};

/* True when the line that is looked for has ended. */
static bool take(struct line *line, char c, uint64_t start, char *path, size_t size) {
  if (c == '\n') {
    bool found = line->has_start && line->start == start;
    if (found) path[line->length < size ? line->length : 0] = 0;
    *line = (struct line){0};
    return found;
  }
  if (!line->has_start) {
    if (c == '-') line->has_start = true;
    else line->start = line->start << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  } else if (line->start == start && (c == '/' || line->length > 0)) {
    if (line->length < size) path[line->length] = c;
    line->length++;
  }
  return false;
}

void modules_mapped_path(uint64_t start, char *path, size_t size) {
  path[0] = 0;
  long fd = SYSTEM_CALL4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  char buffer[1024];
  struct line line = {0};
  bool found = false;
  for (long got; !found && (got = SYSTEM_CALL3(SYS_read, fd, buffer, sizeof buffer)) > 0;) {
    for (long i = 0; i < got && !found; i++) found = take(&line, buffer[i], start, path, size);
  }
  if (!found) path[0] = 0;
  SYSTEM_CALL3(SYS_close, fd, 0, 0);
}
