# Random programs against their own books, in both modes and with both builds. $1: a scratch directory; LEDGER_RUNS: how many.
set -eu
scratch=$1
ledger=$MEMSURGE_BUILT/test/ledger
runs=${LEDGER_RUNS:-24}
seed=${LEDGER_SEED:-1}
last=$((seed + runs - 1))

while [ "$seed" -le $last ]; do
  # 2 to 64 threads, one of the numbers per seed; fewer steps where there are more of them.
  case $((seed % 5)) in
    0) size="2 4000" ;;
    1) size="4 2000" ;;
    2) size="8 1200" ;;
    3) size="32 400" ;;
    4) size="64 200" ;;
  esac
  library=$MEMSURGE_BUILT/libmemsurge.so mode=exact where=
  [ $((seed % 7)) -eq 0 ] && library=$MEMSURGE_BUILT/libmemsurge-tls.so
  [ $((seed % 8)) -eq 7 ] && mode=sampled
  [ $((seed % 6)) -eq 5 ] && where="taskset -c 0"
  mkdir "$scratch/$seed"
  # Every third seed without the C library's cache per thread: each block goes through the arena.
  tunables=glibc.malloc.tcache_count=$((seed % 3 == 1 ? 0 : 7))
  if ! GLIBC_TUNABLES=$tunables MEMSURGE_AGENT=$mode,65536,$scratch/$seed LD_PRELOAD=$library $where "$ledger" $seed $size >"$scratch/out" 2>&1; then
    echo "ledger $seed $size ($mode, $library $where):"
    head -n 20 "$scratch/out"
    exit 1
  fi
  rm -r "${scratch:?}/$seed"
  seed=$((seed + 1))
done
