/* Which definition of a function the program's own calls reach. */
#ifndef MEMSURGE_DEFINITION_H
#define MEMSURGE_DEFINITION_H

/**
 * The first definition of `name` among the modules that everybody sees: the program, what was preloaded, what it was linked
 * to; NULL when there is none. Not the same as dlsym(RTLD_DEFAULT): of a function whose address a program at a fixed place
 * takes, that gives the program's own jump table entry, which leads to the definition.
 */
void *definition_first(const char *name);

#endif
