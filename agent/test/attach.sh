# The agent attached to a running program: starts, stops and forks in the middle of what three threads allocate. $1: a scratch directory; ATTACH_CYCLES: how many.
set -eu
target=$MEMSURGE_BUILT/test/attach-target
dump=$MEMSURGE_BUILT/test/dump
files=$1

fail() {
  echo "attach: $*"
  exit 1
}

# run MODE COUNT LIBRARY: every 25th recording is looked at, the one of the end among them.
run() {
  "$target" "$1" "$2" "$MEMSURGE_BUILT/$3" "$files" || fail "$1 with $3"
  ls "$files"/*.agent | sed -n '1~25p;$p' >"$files/list"
  while read -r file; do
    "$dump" "$file" >"$files/text"
    for line in "state 2" "start 2" "missed_free_count 0" "dropped_count 0"; do
      grep -qx "$line" "$files/text" || fail "no \"$line\" in a file of $1 with $3"
    done
    # Each cycle knows the ten blocks of 1000 bytes that the program kept until after it.
    live=$(sed -n 's/^native.live_bytes //p' "$files/text")
    [ "$1" != cycles ] || [ "$live" -ge 10000 ] || fail "only $live bytes live in a file of $1 with $3"
  done <"$files/list"
  rm "$files"/*.agent
}

{
  echo '#include <stdlib.h>'
  echo 'void *const table[] = {'
  yes '(void *)malloc, (void *)free,' | head -n 10000
  echo '};'
} >"$files/large.c"
${CC:-cc} -shared -fPIC -o "$files/large.so" "$files/large.c"

cycles=${ATTACH_CYCLES:-40}
run cycles "$cycles" libmemsurge.so
run forks "$cycles" libmemsurge.so
run loads "$cycles" libmemsurge.so
run holds 2 libmemsurge.so
run cycles 30 libmemsurge-tls.so
run forks 20 libmemsurge-tls.so
