/*
 * Nothing here follows a name that others can change: folders are opened step by step without following links, files are
 * made new or not at all, and owner and mode are set by descriptor. What is for reading stays ours.
 */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "viewer.h"

#define PREFIX "memsurge-stage-"
#define LIBRARY "libmemsurge.so"
#define TLS_LIBRARY "libmemsurge-tls.so"
#define CONFIG_PREFIX "memsurge-agent-"
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Below this a memory file system is too small to hold an agent's file beside what else uses it. */
#define LEAST_MEMORY_BYTES ((uint64_t)512 << 20)
/* What nobody holds and is older than this was left by one that was killed. */
#define ABANDONED_SECONDS 10

static const char *const places[] = {"tmp", "var/tmp", "dev/shm", "run", NULL};
static const char *const places_for_files[] = {"dev/shm", "tmp", "var/tmp", "run", NULL};

/* A folder of the program's, by steps that are no links; -1. */
static int open_place(const struct viewer *viewer, const char *place) {
  char path[64], steps[64];
  snprintf(path, sizeof path, "/proc/%d/root/", viewer->pid);
  snprintf(steps, sizeof steps, "%s", place);
  int folder = open(viewer->shares_files ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  char *rest = NULL;
  for (char *step = strtok_r(steps, "/", &rest); step != NULL && folder >= 0; step = strtok_r(NULL, "/", &rest)) {
    int next = openat(folder, step, OPEN_FOLDER);
    close(folder);
    folder = next;
  }
  return folder;
}

/* Only its owner, who is trusted, may rename what lies in it. */
static bool is_trusted(const struct viewer *viewer, int folder) {
  struct stat status;
  if (fstat(folder, &status) != 0) return false;
  bool by_owner = status.st_uid == 0 || status.st_uid == geteuid() || status.st_uid == viewer->uid || !viewer->shares_files;
  return by_owner && ((status.st_mode & 022) == 0 || (status.st_mode & S_ISVTX) != 0);
}

static bool is_fit(int folder, const char *place, bool for_code) {
  struct statvfs system;
  if (fstatvfs(folder, &system) != 0 || (system.f_flag & ST_RDONLY) != 0) return false;
  if (for_code) return (system.f_flag & ST_NOEXEC) == 0;
  return strcmp(place, "dev/shm") != 0 || (uint64_t)system.f_bavail * system.f_frsize >= LEAST_MEMORY_BYTES;
}

static bool ends_with(const char *text, const char *ending) {
  size_t length = strlen(text), wanted = strlen(ending);
  return length >= wanted && strcmp(text + length - wanted, ending) == 0;
}

static bool is_ours(const char *name) { return strcmp(name, LIBRARY) == 0 || strcmp(name, TLS_LIBRARY) == 0 || ends_with(name, ".agent"); }

/* Only what we put there; a folder in which somebody else laid something stays. */
static void empty_and_remove(int parent, int folder, const char *name) {
  DIR *entries = fdopendir(dup(folder));
  if (entries != NULL) rewinddir(entries);
  for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
    if (is_ours(entry->d_name)) unlinkat(folder, entry->d_name, 0);
  }
  if (entries != NULL) closedir(entries);
  unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_abandoned(int parent) {
  DIR *entries = fdopendir(dup(parent));
  if (entries == NULL) return;
  rewinddir(entries);
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    struct stat status;
    if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0) continue;
    int folder = openat(parent, entry->d_name, OPEN_FOLDER);
    if (folder < 0) continue;
    bool is_old = fstat(folder, &status) == 0 && time(NULL) - status.st_mtime > ABANDONED_SECONDS;
    /* Whoever made it holds it as long as he lives. */
    if (is_old && flock(folder, LOCK_EX | LOCK_NB) == 0) empty_and_remove(parent, folder, entry->d_name);
    close(folder);
  }
  closedir(entries);
}

static void remove_folder(struct staged_folder *folder) {
  if (folder->self <= 0) return;
  empty_and_remove(folder->parent, folder->self, folder->name);
  close(folder->self);
  close(folder->parent);
  *folder = (struct staged_folder){0};
}

static bool make_in(int parent, struct staged_folder *made) {
  uint64_t random;
  if (getrandom(&random, sizeof random, 0) != sizeof random) return false;
  snprintf(made->name, sizeof made->name, PREFIX "%016lx", random);
  if (mkdirat(parent, made->name, 0700) != 0) return false;
  struct stat status;
  made->parent = parent;
  made->self = openat(parent, made->name, OPEN_FOLDER);
  return made->self > 0 && fstat(made->self, &status) == 0 && status.st_uid == geteuid() && flock(made->self, LOCK_EX | LOCK_NB) == 0;
}

/* A fresh folder that only we may enter; its place as the program sees it. NULL: nowhere. */
static const char *make_folder(const struct viewer *viewer, bool for_code, struct staged_folder *made) {
  for (const char *const *place = for_code ? places : places_for_files; *place != NULL; place++) {
    int parent = open_place(viewer, *place);
    if (parent < 0) continue;
    remove_abandoned(parent);
    if (is_trusted(viewer, parent) && is_fit(parent, *place, for_code) && make_in(parent, made)) return *place;
    close(parent);
    *made = (struct staged_folder){0};
  }
  return NULL;
}

static bool write_all(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0 && errno != EINTR) return false;
    bytes += written < 0 ? 0 : written;
    count -= written < 0 ? 0 : (size_t)written;
  }
  return true;
}

static int create(int folder, const char *name) {
  return openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static bool copy_library(const char *path, int folder, const char *name) {
  static char bytes[1 << 16];
  int from = open(path, O_RDONLY | O_CLOEXEC), to = create(folder, name);
  ssize_t got = -1;
  while (from >= 0 && to >= 0 && (got = read(from, bytes, sizeof bytes)) > 0) {
    if (!write_all(to, bytes, (size_t)got)) got = -1;
    if (got < 0) break;
  }
  bool copied = got == 0 && fchmod(to, 0644) == 0;
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  return copied;
}

/* A library that is there already is the same one by the same name, and needs no file any more. */
static bool find_loaded(const struct wish *wish, struct stage *stage) {
  struct mappings mappings;
  if (!mappings_read(wish->pid, &mappings)) return false;
  bool found = false;
  for (size_t i = 0; i < mappings.count && !found; i++) {
    snprintf(stage->library, sizeof stage->library, "%s", mappings.rows[i].path);
    char *deleted = ends_with(stage->library, " (deleted)") ? strrchr(stage->library, ' ') : NULL;
    if (deleted != NULL) *deleted = 0;
    found = ends_with(stage->library, "/" LIBRARY) || ends_with(stage->library, "/" TLS_LIBRARY);
  }
  mappings_free(&mappings);
  if (found) strcpy(stage->tls_library, stage->library);
  return found;
}

static const char *stage_libraries(const struct wish *wish, const struct viewer *viewer, struct stage *stage) {
  char library[STAGE_PATH_BYTES], tls_library[STAGE_PATH_BYTES];
  if (find_loaded(wish, stage)) return NULL;
  snprintf(library, sizeof library, "%s/" LIBRARY, wish->libraries);
  snprintf(tls_library, sizeof tls_library, "%s/" TLS_LIBRARY, wish->libraries);
  strcpy(stage->library, library);
  strcpy(stage->tls_library, tls_library);
  if (viewer->shares_files && viewer_may_use(viewer, (const char *const[]){library, tls_library}, NULL)) return NULL;
  const char *place = make_folder(viewer, true, &stage->libraries);
  if (place == NULL) return "it sees no folder from which it could load the agent (/tmp, /var/tmp, /dev/shm and /run are read-only or noexec)";
  int folder = stage->libraries.self;
  if (!copy_library(library, folder, LIBRARY) || !copy_library(tls_library, folder, TLS_LIBRARY)) {
    return "the agent cannot be copied to where it sees it";
  }
  /* Only now, and for going in only: it stays ours, as do the files. */
  if (fchmod(folder, 0711) != 0) return "the agent cannot be copied to where it sees it";
  snprintf(stage->library, sizeof stage->library, "/%s/%s/" LIBRARY, place, stage->libraries.name);
  snprintf(stage->tls_library, sizeof stage->tls_library, "/%s/%s/" TLS_LIBRARY, place, stage->libraries.name);
  return NULL;
}

static const char *stage_files(const struct wish *wish, const struct viewer *viewer, struct stage *stage) {
  snprintf(stage->directory, sizeof stage->directory, "%s", wish->directory);
  snprintf(stage->directory_here, sizeof stage->directory_here, "%s", wish->directory);
  if (viewer->shares_files && viewer_may_use(viewer, NULL, wish->directory)) return NULL;
  const char *place = make_folder(viewer, false, &stage->files);
  if (place == NULL) return "it sees no folder in which the agent could make its file";
  /* The agent makes its file in the program's name. */
  if (geteuid() == 0 && fchown(stage->files.self, viewer->uid, viewer->gid) != 0) return "no folder can be given to it";
  snprintf(stage->directory, sizeof stage->directory, "/%s/%s", place, stage->files.name);
  if (viewer->shares_files) strcpy(stage->directory_here, stage->directory);
  else snprintf(stage->directory_here, sizeof stage->directory_here, "/proc/%d/root/%s/%s", viewer->pid, place, stage->files.name);
  return NULL;
}

/* The agent trusts what belongs to its own user or root alone; root outside may be nobody inside. */
static const char *stage_config(const struct wish *wish, const struct viewer *viewer, struct stage *stage) {
  char text[STAGE_PATH_BYTES + 64];
  int length = snprintf(text, sizeof text, "%s,%s\n", wish->mode, stage->directory);
  snprintf(stage->config_name, sizeof stage->config_name, CONFIG_PREFIX "%d.cfg", viewer->inner_pid);
  stage->config_folder = open_place(viewer, "tmp");
  if (stage->config_folder < 0) return "it has no /tmp";
  unlinkat(stage->config_folder, stage->config_name, 0);
  int file = create(stage->config_folder, stage->config_name);
  if (file < 0) return "its configuration cannot be written into /tmp";
  bool written = write_all(file, text, (size_t)length) && (geteuid() != 0 || fchown(file, viewer->uid, viewer->gid) == 0);
  close(file);
  return written ? NULL : "its configuration cannot be written into /tmp";
}

const char *stage_make(const struct wish *wish, struct stage *stage) {
  static struct viewer viewer;
  *stage = (struct stage){.config_folder = -1};
  if (!viewer_read(wish->pid, &viewer)) return errno == EACCES || errno == EPERM ? "no permission" : "it has ended";
  const char *problem = stage_libraries(wish, &viewer, stage);
  if (problem == NULL) problem = stage_files(wish, &viewer, stage);
  if (problem == NULL && wish->in_file) problem = stage_config(wish, &viewer, stage);
  return problem;
}

void stage_remove_libraries(struct stage *stage) {
  remove_folder(&stage->libraries);
  if (stage->config_folder < 0) return;
  unlinkat(stage->config_folder, stage->config_name, 0);
  close(stage->config_folder);
  stage->config_folder = -1;
}

void stage_remove_files(struct stage *stage) { remove_folder(&stage->files); }
