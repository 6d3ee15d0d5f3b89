# Whose malloc the program calls, where it stands at a fixed place and has taken the functions' addresses: its jump table
# entries are then what dlsym finds. $1: a scratch directory.
set -eu
scratch=$1
agent=$MEMSURGE_BUILT/libmemsurge.so
dump=$MEMSURGE_BUILT/test/dump

fail() {
  echo "definition: $*"
  exit 1
}

cat >"$scratch/program.c" <<'SOURCE'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef TAKES_DLSYM
static void *(*volatile look)(void *, const char *);
#define find (look = dlsym, look)
#else
#define find dlsym
#endif
void *volatile taken[8];
int main(void) {
  void *const addresses[] = {(void *)malloc, (void *)free, (void *)calloc, (void *)realloc, (void *)mmap, (void *)munmap};
  for (int i = 0; i < 6; i++) taken[i] = addresses[i];
  void *(*take)(size_t) = (void *(*)(size_t))taken[0];
  void *(*found)(size_t) = (void *(*)(size_t))find(RTLD_DEFAULT, "malloc");
  for (int i = 0; i < 1000; i++) taken[7] = i % 2 == 0 ? take(1000) : found(1000);
  return found != take;
}
SOURCE
# An allocator of its own, with malloc only.
cat >"$scratch/other.c" <<'SOURCE'
#include <stddef.h>
static char memory[1 << 24];
static size_t used;
void *malloc(size_t size) { return &memory[(used += (size + 15) & ~(size_t)15) - ((size + 15) & ~(size_t)15)]; }
void free(void *block) { (void)block; }
SOURCE
printf 'int nothing;\n' >"$scratch/nothing.c"
compile="${CC:-cc} -O1 -g"
$compile -no-pie -fno-pie -o "$scratch/fixed" "$scratch/program.c" -ldl
$compile -no-pie -fno-pie -DTAKES_DLSYM -o "$scratch/fixed-dlsym" "$scratch/program.c" -ldl
$compile -pie -fPIE -o "$scratch/movable" "$scratch/program.c" -ldl
$compile -shared -fPIC -fno-builtin -o "$scratch/other.so" "$scratch/other.c"
$compile -shared -fPIC -fno-builtin -Wl,--hash-style=sysv -o "$scratch/sysv.so" "$scratch/other.c"
$compile -shared -fPIC -o "$scratch/nothing.so" "$scratch/nothing.c"
$compile -no-pie -fno-pie -fno-builtin -o "$scratch/static" "$scratch/program.c" "$scratch/other.c" -ldl

# expect SHADOWED BYTES PROGRAM PRELOAD
expect() {
  rm -f "$scratch"/*.agent
  MEMSURGE_AGENT="exact,0,$scratch" LD_PRELOAD=$4 "$scratch/$3" || fail "$3 with $4 does not find its own malloc"
  "$dump" "$scratch"/*.agent >"$scratch/text"
  grep -qx "shadowed $1" "$scratch/text" || fail "$3 with $4: not shadowed $1"
  live=$(sed -n 's/^native.live_bytes //p' "$scratch/text")
  [ "$live" = "$2" ] || fail "$3 with $4: $live bytes seen, not $2"
}

for program in fixed fixed-dlsym movable; do
  expect 0 1000000 $program "$agent"
  expect 0 1000000 $program "$scratch/nothing.so $agent"
  expect 0 1000000 $program "$agent $scratch/other.so"
  expect 1 0 $program "$scratch/other.so $agent"
  expect 1 0 $program "$scratch/sysv.so $agent"
done
expect 1 0 static "$agent"
