#include "plain.h"
#include "where.h"

static inline int squared(int n) {
  WHERE;
  return n * n;
}

__attribute__((noinline)) static int only_here(int n) {
  int sum = squared(n) +
            squared(n + 1);
  WHERE;
  return sum;
}

int plain(int n) {
  int r = only_here(n);
  if (__builtin_expect(n > 1000, 0)) WHERE;
  return r + 1;
}

int __internal_plain_alias(int) __attribute__((alias("plain")));
