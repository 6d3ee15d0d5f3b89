# Runs core.c's cases under the agent and compares the file with what the case did. $1: a scratch directory.
set -eu
scratch=$1
library=${MEMSURGE_LIBRARY:-$MEMSURGE_BUILT/libmemsurge.so}
core=$MEMSURGE_BUILT/test/core
dump=$MEMSURGE_BUILT/test/dump

fail() {
  echo "$case: $*"
  cat "$scratch/$case"/*.txt
  exit 1
}

# record CASE [MODE]: leaves $scratch/CASE with a text per file, the first one's as $text. $limit: a ulimit for the case.
limit=:
record() {
  case=$1
  rm -rf "${scratch:?}/$case" && mkdir -p "$scratch/$case"
  ($limit && MEMSURGE_AGENT=${2:-exact,0},$scratch/$case LD_PRELOAD=$library exec "$core" "$case") >"$scratch/$case.out" ||
    [ -n "${dies:-}" ] || fail "exit status $?"
  for file in "$scratch/$case"/*.agent; do "$dump" "$file" 10 >"$file.txt"; done
  text=$(ls "$scratch/$case"/*.txt | head -n 1)
}

value() { sed -n "s/^$1 //p" "$text"; }
# expect NAME VALUE …
expect() {
  while [ $# -gt 0 ]; do
    [ "$(value "$1")" = "$2" ] || fail "$1 is $(value "$1"), not $2"
    shift 2
  done
}
no_losses() { expect dropped_count 0 stackless_count 0 unknown_freed_count 0 missed_free_count 0 skipped_count 0; }
# The live table, the counters and the header tell the same.
agree() { expect blocks.bytes "$(value native.live_bytes)" live_bytes "$(value native.live_bytes)" native.peak_bytes "$(value peak_bytes)"; }
files() { [ "$(ls "$scratch/$case"/*.agent | wc -l)" = "$1" ] || fail "$(ls "$scratch/$case"/*.agent | wc -l) files, not $1"; }

# dlopen and printf may allocate: the empty case says how much the C library takes by itself.
record leaf
no_losses
agree
expect native.allocated_count 1 native.live_bytes 1000 state 2 start 1 rows.threads 1

record family
no_losses
agree
# 1 + … + 4096 = 8191 by the family; the rest is dlopen's own.
[ "$(value native.live_bytes)" -ge 4097 ] || fail "live"
[ "$(value native.allocated_bytes)" -ge 8191 ] || fail "allocated"
[ "$(value native.freed_count)" -ge 10 ] || fail "freed"

record peak
no_losses
agree
expect peak_bytes 1000000 native.peak_bytes 1000000 native.peak_count 1000 native.live_bytes 400000 native.allocated_count 1100 native.temporary_count 100

record mappings
no_losses
expect mapped.live_bytes "$(sed -n 's/^mapped.live_bytes //p' "$scratch/mappings.out")" maps.bytes "$(value mapped.live_bytes)"

record threads
no_losses
expect rows.threads 5 threads.ended 4
expect blocks.bytes "$(value native.live_bytes)" live_bytes "$(value native.live_bytes)"
[ "$(value native.allocated_count)" -ge 400004 ] || fail "count"

record crowds
no_losses
expect rows.threads 2001 threads.ended 2000

record same_ids
no_losses
expect rows.threads 11 threads.ended 10

record exits
no_losses
expect rows.threads 201 threads.ended 200

record signals
no_losses
expect native.allocated_count 2000 native.temporary_count 2000

record children
files 5
for text in "$scratch/children"/*.txt; do
  [ "$(value command_line)" = "$core children" ] || expect native.live_bytes 1000 native.allocated_count 1 start 1
done
grep -l '^start 3$' "$scratch/children"/*.txt >/dev/null || fail "no file of the forked child"

record lookup
files 2
for text in "$scratch/$case"/*.txt; do expect skipped_count 0; done

record forks
files 101

for dies in kill abort segv exit; do
  record $dies
  expect native.live_bytes 1000 blocks.count 1 state 1
done 2>/dev/null
dies=

# Under limits of its own size and address space the file is smaller; the program's own limits are never met.
limit="ulimit -f 2048"
record many
[ "$(value dropped_count)" -gt 0 ] || fail "nothing was dropped"
agree
limit="ulimit -v 1000000"
record leaf
no_losses
expect native.live_bytes 1000
limit=:

record limited
files 2
no_losses

record locked
no_losses
agree

# A disk that fills up costs blocks, never the program. Only root may make such a disk.
mkdir "$scratch/disk"
for size in 1 4 8; do
  mount -t tmpfs -o size=${size}m none "$scratch/disk" 2>/dev/null || break
  trap 'umount "$scratch/disk"' EXIT
  MEMSURGE_AGENT=exact,0,$scratch/disk LD_PRELOAD=$library "$core" many || fail "exit status $? on a full disk"
  case=disk
  text=$scratch/disk.txt
  "$dump" "$scratch"/disk/*.agent >"$text"
  [ "$(value dropped_count)" -gt 0 ] || fail "nothing was dropped on a full disk"
  [ "$(value native.allocated_count)" = $((400000 - $(value dropped_count))) ] || fail "a full disk lost blocks without a word"
  agree
  umount "$scratch/disk"
  trap - EXIT
done

record samples sampled,65536
expect rows.counters "$(value rows.counters)" unknown_freed_count 0 dropped_count 0
# 20 MiB at a mean of 64 KiB: 320 samples, standard deviation 5.6 %.
estimate=$(value samples.live_estimate)
[ "$estimate" -gt 15000000 ] && [ "$estimate" -lt 27000000 ] || fail "estimate $estimate"
[ "$(value blocks.count)" = "$(value samples.live)" ] || fail "live samples"
