/* Start and stop of a recording in a program that already runs. src/record/native/attach/protocol.ts mirrors this file. */
#ifndef MEMSURGE_ATTACH_H
#define MEMSURGE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * The caller loads the library into the program and then either calls memsurge_attach_start / _stop, or has a .NET
 * runtime ask for a profiler of one of these class ids ("AttachProfiler" of the diagnostics IPC): that calls
 * DllGetClassObject, which does the same and then refuses, so that the runtime's place for a profiler stays free.
 *
 * What to record is `<mode>,<mean bytes>,<directory>`. A runtime passes nothing on: then it is read, with a newline, from
 * /tmp/memsurge-agent-<pid>.cfg (the pid and the /tmp of the program itself), a file that only its owner may access, who is
 * the program's user or root. It is removed.
 */
#define ATTACH_CLASS_START "78c08117-c793-4656-a01b-03080eb58734"
#define ATTACH_CLASS_STOP "7084dafe-422d-46e1-a4e9-af7905b0476a"
#define ATTACH_CONFIG_PREFIX "/tmp/memsurge-agent-"
#define ATTACH_CONFIG_SUFFIX ".cfg"

enum attach_result {
  /** Recording; or, after a stop, not recording any more. */
  ATTACH_DONE = 0,
  /** A recording is under way: of another attach, or since the program's start. */
  ATTACH_RECORDING = 1,
  /** There was nothing to stop. */
  ATTACH_IDLE = 2,
  /** No configuration, or one that the program may not trust or does not understand. */
  ATTACH_NO_CONFIG = 3,
  /** The agent's file could not be made in the directory. */
  ATTACH_NO_FILE = 4,
  /** The program could not start the agent's thread. */
  ATTACH_NO_THREAD = 5,
  /** No module calls an allocator that can be hooked. */
  ATTACH_NO_SLOTS = 6,
  /** A thread has not come out of the agent since the recording before: it may still use what a start would clear. */
  ATTACH_HELD_UP = 7,
};

/** DllGetClassObject's HRESULT for a result: a failure, as ours to define, of a facility of our own. */
#define ATTACH_HRESULT(result) (0xA04D0000u | (uint32_t)(result))

/** `config` as above; NULL: it lies in the file. Returns an attach_result. */
int memsurge_attach_start(const char *config);
int memsurge_attach_stop(void);

/** Ends the recording for the control thread, which stops itself afterwards. False: somebody else is at it. */
bool attach_end_by_control(void);

#endif
