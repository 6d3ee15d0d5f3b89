/* Lays where a program can see it what it needs in order to load the agent, and takes it away again. */
#ifndef INJECT_STAGE_H
#define INJECT_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#define STAGE_PATH_BYTES 4096
#define STAGE_NAME_BYTES 32

/** A folder that we made; 0 descriptors: none. */
struct staged_folder {
  /** The folder in which it lies, and itself. Never its path: others may own what lies on the way. */
  int parent, self;
  char name[STAGE_NAME_BYTES];
};

struct stage {
  /** As the program sees them: the agent, and the one for a program whose static TLS is exhausted. */
  char library[STAGE_PATH_BYTES], tls_library[STAGE_PATH_BYTES];
  /** Where the agent makes its file, as the program sees it and as we do. */
  char directory[STAGE_PATH_BYTES], directory_here[STAGE_PATH_BYTES];
  struct staged_folder libraries, files;
  /** The program's /tmp, when a configuration lies there. */
  int config_folder;
  char config_name[STAGE_NAME_BYTES + 16];
};

struct wish {
  pid_t pid;
  /** Where the recorder would have the agent's file, and where the agent's libraries lie: absolute. */
  const char *directory, *libraries;
  /** Mode and mean, as the configuration begins; with `in_file` it is laid in the program's /tmp. */
  const char *mode;
  bool in_file;
};

/** NULL, or why it cannot be; what was laid is to be taken away in either case. */
const char *stage_make(const struct wish *wish, struct stage *stage);
/** Takes the libraries and the configuration away: a loaded library needs no path. */
void stage_remove_libraries(struct stage *stage);
/** Takes the agent's folder away, if it is one of ours. */
void stage_remove_files(struct stage *stage);

#endif
