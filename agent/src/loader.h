/* Work that needs the dynamic loader to stand still. */
#ifndef MEMSURGE_LOADER_H
#define MEMSURGE_LOADER_H

/**
 * Runs `work` while no other thread can load, relocate or unload a module. Waits for a dlopen or dlclose in progress, as
 * dlsym does; a thread that is inside one itself (a constructor) does not wait. Never call it with a lock held that a
 * constructor, destructor or fork handler may want. `work` is the same in all calls and bears being done once too often.
 */
void loader_run_still(void (*work)(void));

#endif
