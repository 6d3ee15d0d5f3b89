#define _GNU_SOURCE
#include "where.h"
#include <link.h>
#include <stdio.h>

static int first_module(struct dl_phdr_info *info, size_t size, void *bias) {
  (void)size;
  *(unsigned long *)bias = info->dlpi_addr;
  return 1;
}

__attribute__((noinline)) void where(const char *file, int line) {
  unsigned long bias = 0;
  dl_iterate_phdr(first_module, &bias);
  printf("%lx\t%s\t%d\n", (unsigned long)__builtin_return_address(0) - bias, file, line);
  __asm__ volatile("");
}
