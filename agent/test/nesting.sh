# An allocator whose functions are made of each other: every block counts once. $1: a scratch directory.
set -eu
scratch=$1

# record ROUNDS: what the program says it did, and what the agent says of it.
record() {
  mkdir "$scratch/$1"
  MEMSURGE_AGENT=exact,0,$scratch/$1 LD_PRELOAD=$MEMSURGE_BUILT/libmemsurge.so:$MEMSURGE_BUILT/test/nesting-allocator \
    "$MEMSURGE_BUILT/test/nesting" "$1" >"$scratch/$1.did"
  "$MEMSURGE_BUILT/test/dump" "$scratch/$1"/*.agent 20 >"$scratch/$1.seen"
}
value() { sed -n "s/^$2 //p" "$scratch/$1.seen"; }

record 0
record 100
while read -r name expected; do
  more=$(($(value 100 "$name") - $(value 0 "$name")))
  [ "$more" = "$expected" ] || { echo "$name is $more, not $expected"; cat "$scratch/100.seen"; exit 1; }
done <"$scratch/100.did"
for name in dropped_count unknown_freed_count missed_free_count skipped_count; do
  [ "$(value 100 $name)" = 0 ] || { echo "$name is $(value 100 $name)"; cat "$scratch/100.seen"; exit 1; }
done
