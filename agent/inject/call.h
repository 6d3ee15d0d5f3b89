/* What the injector lays on a borrowed thread's stack, and the code that works on it there (call-x64.S). */
#ifndef INJECT_CALL_H
#define INJECT_CALL_H

/* Offsets for call-x64.S; call.c checks them. */
#define CALL_STATE 0
#define CALL_RESULT 4
#define CALL_DLOPEN 8
#define CALL_DLSYM 16
#define CALL_DLERROR 24
#define CALL_ERRNO_LOCATION 32
#define CALL_HANDLE 40
#define CALL_ERROR 48
#define CALL_FRAME 56
#define CALL_PATIENCE 64
#define CALL_FLAGS 80
#define CALL_LIBRARY 96
#define CALL_SYMBOL 4192
#define CALL_CONFIG 4256

#ifndef __ASSEMBLER__
#include <stdint.h>

#define CALL_PATH_BYTES 4096

enum call_state {
  CALL_LAID,
  /** The thread is on its way. */
  CALL_BEGUN,
  /** It is back, and waits for the injector to give it its registers; after a while it takes them itself. */
  CALL_DONE,
};

struct call {
  uint32_t state;
  /** What the agent's start answered. */
  int32_t result;
  uint64_t dlopen, dlsym;
  /** 0 in a C library that tells no reason. */
  uint64_t dlerror;
  uint64_t errno_location;
  /** What dlopen gave; 0: it failed, for the reason at `error`. */
  uint64_t handle;
  uint64_t error;
  /** The signal frame (sigreturn(2)) that holds the thread's own registers. */
  uint64_t frame;
  /** How long to wait for the injector: a timespec. */
  int64_t patience[2];
  uint32_t flags;
  uint32_t reserved[3];
  char library[CALL_PATH_BYTES];
  char symbol[64];
  char config[CALL_PATH_BYTES + 64];
};

/** The code, position-independent: `begin` is called with rbx on a struct call; it never returns. */
extern const char call_code[], call_code_waits[], call_code_end[];
#endif
#endif
