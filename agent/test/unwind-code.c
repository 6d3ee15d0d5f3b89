/* flags: src/unwind.c src/rules.c src/cfi.c src/cfi-step.c src/modules.c src/modules-list.c src/modules-path.c src/pc-cache.c src/peek.c src/code-x64.c src/length-x64.c src/memory.c src/sandbox.c */
/* Walks through code made at run time: functions with and without frame pointers in chains of any order, and code that is replaced in place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "memory.h"
#include "store.h"
#include "unwind.h"

struct store store;
uint32_t store_append(enum layout_section section, const void *row) { return (void)section, (void)row, STORE_FULL; }
uint32_t store_string(const char *text) { return (void)text, STORE_FULL; }

#define MOST 16
#define SLOT 256
/* Only main calls from several places: enter, run, main. */
#define MAIN_FROM_INSIDE 3

typedef void target(void *const *rest);

/* A made function calls the first target of its list with the rest of it. CALL stands for "mov rax,[rdi]; add rdi,8; call rax". */
struct shape {
  const char *name;
  const char *before;
  size_t before_bytes;
  const char *after;
  size_t after_bytes;
};
#define CODE(text) text, sizeof(text) - 1
#define CALL "\x48\x8b\x07\x48\x83\xc7\x08\xff\xd0"
#define CALL_BYTES 9
static const struct shape shapes[] = {
    {"no frame", CODE("\x48\x83\xec\x18"), CODE("\x48\x83\xc4\x18\xc3")},
    {"no frame, larger", CODE("\x48\x83\xec\x38"), CODE("\x48\x83\xc4\x38\xc3")},
    {"no frame, 1000 bytes", CODE("\x48\x81\xec\xe8\x03\x00\x00"), CODE("\x85\xc0\x75\x02\x31\xc0\x48\x81\xc4\xe8\x03\x00\x00\xc3")},
    {"only a push", CODE("\x50"), CODE("\x58\xc3")},
    {"rbp for other things", CODE("\x53\x55\x50\x31\xed\x48\xff\xc5"), CODE("\x48\x83\xc4\x08\x5d\x5b\xc3")},
    {"frame, add and pops", CODE("\x55\x41\x56\x53\x48\x83\xec\x10\x48\x8d\x6c\x24\x20"), CODE("\xc5\xf8\x77\x48\x83\xc4\x10\x5b\x41\x5e\x5d\xc3")},
    {"frame, lea", CODE("\x55\x48\x89\xe5\x53\x48\x83\xec\x28"), CODE("\x48\x8d\x65\xf8\x5b\x5d\xc3")},
    {"frame, leave", CODE("\x55\x48\x89\xe5\x48\x83\xec\x40"), CODE("\xc9\xc3")},
    {"frame, mov and pop", CODE("\x55\x48\x89\xe5\x48\x83\xec\x40"), CODE("\x48\x89\xec\x5d\xc3")},
    {"jumps before its end", CODE("\x48\x83\xec\x28"), CODE("\x85\xc0\x74\x05\xe9\x00\x00\x00\x00\x66\x90\x48\x83\xc4\x28\xc3")},
    {"tail call", CODE("\x48\x83\xec\x08"), CODE("\x48\x8d\x05\x06\x00\x00\x00\x48\x83\xc4\x08\xff\xe0\xc3")},
    {"end behind a throw", CODE("\x48\x83\xec\x28"), CODE("\x31\xc0\x85\xc0\x74\x01\xcc\x48\x83\xc4\x28\xc3")},
    {"end behind a throw, far", CODE("\x48\x83\xec\x18"), CODE("\x31\xc0\x0f\x84\x02\x00\x00\x00\x0f\x0b\x48\x83\xc4\x18\xc3")},
    {"end behind a switch", CODE("\x48\x83\xec\x38"), CODE("\x31\xc0\x85\xc0\x74\x02\xff\xe0\x48\x83\xc4\x38\xc3")},
    {"end before the call", CODE("\x48\x83\xec\x28\xeb\x05\x48\x83\xc4\x28\xc3"), CODE("\xeb\xf0\xcc")},
    {"loop that the call is in", CODE("\x53\x48\x83\xec\x20\x31\xdb\xff\xc3"), CODE("\x83\xfb\x01\x72\xf0\xeb\x01\xcc\x48\x83\xc4\x20\x5b\xc3")},
    {"frame with a frame below it", CODE("\x55\x48\x83\xec\x30\x50\x48\x83\xec\x18"), CODE("\x31\xc0\x85\xc0\x74\x01\xcc\x48\x83\xc4\x20\x48\x83\xc4\x30\x5d\xc3")},
    {"frame, end far away", CODE("\x55\x48\x89\xe5\x48\x83\xec\x40"), CODE("\xeb\x01\xcc\xc9\xc3")},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static uint8_t *place;
static struct walker *walker;
static uint64_t return_addresses[MOST];
static struct unwind_frame reference[UNWIND_MAX_DEPTH];
static uint32_t reference_depth;
static int chain_length;
static bool is_reference, last_was_right;
static long walks, wrong;

/* Writes a shape at slot `index`; returns the address that its call returns to. */
static uint64_t make(int index, const struct shape *shape) {
  uint8_t *code = place + index * SLOT;
  memset(code, 0xcc, SLOT);
  memcpy(code, shape->before, shape->before_bytes);
  memcpy(code + shape->before_bytes, CALL, CALL_BYTES);
  memcpy(code + shape->before_bytes + CALL_BYTES, shape->after, shape->after_bytes);
  return (uint64_t)(code + shape->before_bytes + CALL_BYTES);
}

static __attribute__((noinline)) void look(void *const *rest) {
  (void)rest;
  struct unwind_registers registers = CALLER_REGISTERS();
  uint32_t flags;
  unwind(walker, &registers, &flags);
  if (is_reference) {
    memcpy(reference, walker->frames, sizeof reference);
    reference_depth = walker->depth;
    return;
  }
  walks++;
  bool right = flags == 0 && walker->depth == reference_depth + (uint32_t)chain_length;
  for (uint32_t i = 0; right && i < reference_depth; i++) right = i == reference_depth - MAIN_FROM_INSIDE || walker->frames[i].pc == reference[i].pc;
  for (int i = 0; right && i < chain_length; i++) right = walker->frames[walker->depth - 1 - (uint32_t)i].pc == return_addresses[chain_length - 1 - i];
  last_was_right = right;
  if (!right) wrong++;
}

/* Calls the chain from one and the same place, so that only the made functions differ. */
static __attribute__((noinline)) void enter(void *const *chain) {
  ((target *)chain[0])(chain + 1);
  __asm__ volatile("");
}

static void describe(const int *chain) {
  printf("wrong after %ld walks:", walks);
  for (int i = 0; i < chain_length; i++) printf(" [%s]", shapes[chain[i]].name);
  printf("\n");
  for (uint32_t i = 0; i < walker->depth; i++) printf("  %lx\n", walker->frames[walker->depth - 1 - i].pc);
}

/* The functions of a chain lie one after the other: writing a new chain replaces the one before it, and nobody says so. */
static __attribute__((noinline)) bool run(const int *chain, int length) {
  void *list[MOST + 1];
  chain_length = length;
  for (int i = 0; i < length; i++) {
    return_addresses[i] = make(i, &shapes[chain[i]]);
    list[i] = place + i * SLOT;
  }
  list[length] = (void *)look;
  enter(list);
  return last_was_right;
}

int main(void) {
  place = mmap(NULL, MOST * SLOT, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  walker = mmap(NULL, sizeof *walker, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memory_find((uint64_t)__builtin_frame_address(0), &walker->stack_low, &walker->stack_high);
  if (place == MAP_FAILED) return printf("no memory for code\n"), 1;
  unwind_start();
  unwind_images_changed();
  is_reference = true;
  run(NULL, 0);
  is_reference = false;

  int failures = 0;
  for (int round = 0; round < 4000; round++) {
    int chain[MOST], length = 1 + rand() % (MOST - 1);
    for (int i = 0; i < length; i++) chain[i] = rand() % (int)SHAPES;
    unwind_start(); /* all is new: each walk must be right */
    if (!run(chain, length) && ++failures < 4) describe(chain);
  }
  long new_walks = walks, new_wrong = wrong;

  walks = wrong = 0;
  for (int round = 0; round < 20; round++) {
    int chain[MOST], length = 1 + rand() % (MOST - 1);
    for (int i = 0; i < length; i++) chain[i] = rand() % (int)SHAPES;
    int tries = 0;
    while (!run(chain, length) && tries < 3 * 4096) tries++;
    if (!last_was_right && ++failures < 4) describe(chain);
  }
  printf("new code: %ld walks, %ld wrong; replaced in place 20 times: %ld walks, %ld wrong\n", new_walks, new_wrong, walks, wrong);
  return failures != 0;
}
