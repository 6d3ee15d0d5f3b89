/* The end of an image: what was learnt of its code must not be held for that of the next one at its place. */
#include <dlfcn.h>

#include "arch.h"
#include "hooks.h"
#include "real.h"
#include "threads.h"

EXPORT int dlclose(void *handle) {
  int result = real.dlclose(handle);
  struct thread *thread = thread_enter();
  if (thread == NULL) return result;
  unwind_images_changed();
  thread_leave(thread);
  return result;
}
