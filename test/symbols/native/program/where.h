#pragma once
#ifdef __cplusplus
extern "C" {
#endif
/** Prints the address it returns to, and the file and line it was called from. Never inlined, never a tail call. */
void where(const char *file, int line);
#ifdef __cplusplus
}
#endif
#define WHERE where(__FILE__, __LINE__)
