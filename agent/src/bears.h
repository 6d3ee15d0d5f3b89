/* Whether a program that is about to be started can bear the agent in it. src/record/native/program.ts asks the same of the first one. */
#ifndef MEMSURGE_BEARS_H
#define MEMSURGE_BEARS_H

#include <stdbool.h>

#include "layout.h"

/**
 * Why the agent would not be in the program; `directory`: where a relative path starts from; with an empty path the file
 * itself. What cannot be found out counts as no reason. System calls only: also in a child made by vfork.
 */
enum layout_without agent_lacks(int directory, const char *path);

/** False: with the agent in its environment it would not start, or its loader would complain. */
static inline bool bears_agent(enum layout_without why) { return why < WITHOUT_OUR_LOADER || why == WITHOUT_TRUST || why == WITHOUT_FOLDER; }

#endif
