/* Start and end of a recording. */
#ifndef MEMSURGE_AGENT_H
#define MEMSURGE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/** What is to be recorded, and where. */
struct agent_config {
  enum layout_mode mode;
  /** Sampled mode: mean bytes between two samples. */
  uint64_t mean_bytes;
  char directory[3072];
};

/** Reads "exact|sampled,<mean bytes>,<directory>". False when it is anything else. */
bool agent_parse(const char *text, struct agent_config *);
/** Starts a recording in a file of its own; returns why it could not, which leaves the gate INERT (preload) or STOPPED (attach), or WITHOUT_NOTHING. */
enum layout_without agent_start(const struct agent_config *, enum layout_start);
/** From the first hook: starts as the environment asks, once; a child made by fork as its parent was asked. */
void agent_start_preloaded(void);
/** Ends the recording: no hook writes to the file when it returns, and the file is unmapped. Not from within a hook. */
void agent_stop(void);
/** Before a start after agent_stop. False: a thread that the stop waited for in vain is still inside the agent. */
bool agent_settle(void);
/** The recorder asked for a stop: called within a hook, keeps the file mapped. */
void agent_stop_requested(void);
/** An allocation while another thread (or this one) is still starting. */
void agent_skipped_early(void);

#endif
