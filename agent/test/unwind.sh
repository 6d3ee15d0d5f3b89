# Walks of native stacks against libc's own, and of code made at run time. $1: a scratch directory.
set -eu
scratch=$1
program=$MEMSURGE_BUILT/test/unwind-native

# Two libraries of the same size whose functions have different frames, with no fixed place of their own.
for room in 40 424; do
  cat >"$scratch/library.c" <<SOURCE
void enter(void (*call)(void)) {
  volatile char room[$room];
  room[0] = 1;
  call();
  room[1] = 1;
}
SOURCE
  ${CC:-cc} -O1 -fomit-frame-pointer -fno-stack-protector -shared -fPIC -Wl,--build-id -o "$scratch/lib$room.so" "$scratch/library.c"
done
"$program" "$scratch/lib40.so" "$scratch/lib424.so"
"$MEMSURGE_BUILT/test/unwind-code"
