/* Word of programs that are started without the agent: else their memory would be missing without a trace. */
#ifndef MEMSURGE_STRANGERS_H
#define MEMSURGE_STRANGERS_H

#include "layout.h"

/** This process, or a child that shares its memory (vfork), is about to become `path`. */
void strangers_note_exec(enum layout_without, const char *path);
/** It did not. */
void strangers_note_failed_exec(void);
/** In a child made by fork that cannot begin: word is left in the file of the process it comes from. */
void strangers_note_fork(enum layout_without);
/** A child was started. */
void strangers_note_child(enum layout_without, const char *path);

#endif
