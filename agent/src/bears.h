/* Whether a program that is about to be started can bear the agent in it. src/record/native/program.ts asks the same of the first one. */
#ifndef MEMSURGE_BEARS_H
#define MEMSURGE_BEARS_H

#include <stdbool.h>

/**
 * False: it would not start, or its loader would complain. `directory`: where a relative path starts from; with an empty
 * path the file itself. What cannot be found out counts as true. System calls only: also in a child made by vfork.
 */
bool bears_agent(int directory, const char *path);

#endif
