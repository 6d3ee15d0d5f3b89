# Programs that give up system calls do and end as they do alone: with the agent preloaded, in both modes, and attached. $1: a scratch directory.
set -u
scratch=$1
program=$MEMSURGE_BUILT/test/sandbox
dump=$MEMSURGE_BUILT/test/dump
mkdir "$scratch/files"

fail() {
  echo "sandbox: $*"
  exit 1
}

# same CASE HOW COMMAND …: as the case ended alone.
same() {
  shown="$1 $2"
  shift 2
  "$@" >"$scratch/out" 2>&1
  echo "ended $?" >>"$scratch/out"
  cmp -s "$scratch/alone" "$scratch/out" || fail "$shown: $(tr '\n' ' ' <"$scratch/out") and alone: $(tr '\n' ' ' <"$scratch/alone")"
}

for case in strict strict_by_syscall strict_raw allow allow_raw allow_fewer deny_kill deny_raw deny_trap deny_error all_threads by_argument wide no_tsc; do
  "$program" "$case" >"$scratch/alone" 2>&1
  echo "ended $?" >>"$scratch/alone"
  # Where seccomp itself is not to be had there is nothing to see.
  grep -q '^seccomp$\|^prctl$' "$scratch/alone" && continue
  for library in libmemsurge.so libmemsurge-tls.so; do
    for mode in exact,0 sampled,4096; do
      # Strict mode that nobody could notice leaves the file as it is, and each sample takes a row of it.
      [ "$case,$mode" = strict_raw,sampled,4096 ] || same "$case" "$mode with $library" env MEMSURGE_AGENT="$mode,$scratch/files" LD_PRELOAD="$MEMSURGE_BUILT/$library" "$program" "$case"
    done
    # Attached, the agent has a thread of its own, which the end of the last one of the program (exit, not exit_group) leaves.
    [ "${case#strict}" != "$case" ] || same "$case" "attached, $library" "$program" "$case" "$MEMSURGE_BUILT/$library" "$scratch/files"
  done
done

# expect NAME VALUE of the recording of the program itself, in the mode in which nothing may be missing.
record() {
  rm -f "$scratch"/files/*
  MEMSURGE_AGENT="exact,0,$scratch/files" LD_PRELOAD=$MEMSURGE_BUILT/libmemsurge.so "$program" "$1" >"$scratch/out"
  "$dump" "$(ls "$scratch"/files/*.agent | head -n 1)" >"$scratch/text"
}
expect() { grep -qx "$1" "$scratch/text" || fail "not \"$1\" but \"$(grep "^${1% *} " "$scratch/text")\""; }

record strict
expect "sandboxed 1"
expect "dropped_count 0"
expect "stackless_count 0"
record wide
expect "sandboxed 0"
expect "dropped_count 0"
live=$(sed -n 's/^native.live_bytes //p' "$scratch/text")
[ "$live" -ge 5000000 ] || fail "only $live bytes live"
# 100,000 blocks are more than what was taken along: the rest is counted.
record by_argument
expect "sandboxed 1"
dropped=$(sed -n 's/^dropped_count //p' "$scratch/text")
[ "$dropped" -gt 0 ] || fail "nothing was dropped by a file that cannot grow"
allocated=$(sed -n 's/^native.allocated_count //p' "$scratch/text")
[ $((allocated + dropped)) -ge 100000 ] || fail "blocks were lost without a word"
