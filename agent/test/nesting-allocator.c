/* flags: -shared -fPIC -ftls-model=initial-exec */
/*
 * An allocator whose functions are made of each other and reach each other by name, as debugging allocators do: each
 * inner call comes through the agent's hooks again. Blocks have a header, so inner and outer addresses differ.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void __libc_free(void *);

struct head {
  void *base;
  size_t size;
};
static struct head *head_of(void *block) { return (struct head *)block - 1; }
static void *headed(char *base, char *block, size_t size) {
  *head_of(block) = (struct head){base, size};
  return block;
}

void *malloc(size_t size) {
  char *base = size > (size_t)1 << 40 ? NULL : __libc_malloc(size + sizeof(struct head));
  if (base == NULL) return errno = ENOMEM, NULL;
  return headed(base, base + sizeof(struct head), size);
}
void free(void *block) {
  if (block != NULL) __libc_free(head_of(block)->base);
}
void *calloc(size_t count, size_t size) {
  void *block = malloc(count * size);
  return block == NULL ? NULL : memset(block, 0, count * size);
}
void *realloc(void *old, size_t size) {
  if (old != NULL && size == 0) return free(old), NULL;
  void *block = malloc(size);
  if (block == NULL || old == NULL) return block;
  memcpy(block, old, size < head_of(old)->size ? size : head_of(old)->size);
  free(old);
  return block;
}
void *reallocarray(void *old, size_t count, size_t size) { return realloc(old, count * size); }
void *memalign(size_t alignment, size_t size) {
  char *within = malloc(size + alignment + sizeof(struct head));
  if (within == NULL) return NULL;
  uintptr_t at = ((uintptr_t)within + sizeof(struct head) + alignment - 1) & ~(alignment - 1);
  return headed(head_of(within)->base, (char *)at, size);
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) { return (*block = aligned_alloc(alignment, size)) == NULL ? ENOMEM : 0; }

/* operator new and delete, of no allocator the agent knows: what they give lies in what malloc gives. */
void *_Znwm(size_t size) { return (char *)malloc(size + 32) + 32; }
void _ZdlPv(void *block) { free((char *)block - 32); }
