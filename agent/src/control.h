/* The agent's own thread in a program it was attached to. */
#ifndef MEMSURGE_CONTROL_H
#define MEMSURGE_CONTROL_H

#include <stdbool.h>

/**
 * Starts it: every 20 ms it takes in newly loaded modules, and sees whether the recorder asked for a stop or the
 * recording ended. False when the program cannot start a thread.
 */
bool control_start(void);
/** The recorder has given no sign for so long that it must have been killed: another one may come in its place. */
bool control_may_be_replaced(void);
/** Ends it and returns when it is gone. Not from the thread itself. */
void control_stop(void);

#endif
