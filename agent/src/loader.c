/*
 * glibc gives nobody its loader's lock, but dlsym holds it while it calls the resolver of an indirect function
 * (dlfcn/dlsym.c, elf/dl-sym.c; 2.11 on). So an indirect function of our own is looked up, and its resolver does the work.
 * dl_iterate_phdr is no substitute: it shows modules that another thread's dlopen has not relocated yet.
 */
#include "loader.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

#include "arch.h"
#include "real.h"

#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)
#define STILL memsurge_loader_still

/* There is one kind of work; a stranger who looks the name up has it done once more, which does no harm. */
static void (*_Atomic the_work)(void);

static void nothing(void) {}

static void (*resolve(void))(void) {
  void (*work)(void) = atomic_load(&the_work);
  if (work != NULL) work();
  return nothing;
}

EXPORT void STILL(void) __attribute__((ifunc("resolve")));

void loader_run_still(void (*work)(void)) {
  atomic_store(&the_work, work);
  /* RTLD_DEFAULT from here also searches this library's own scope, however it was loaded. */
  real_dlsym(RTLD_DEFAULT, NAME_OF(STILL));
}
