# The libraries need nothing that glibc 2.17 does not have, so that they load into programs of older systems. $1: a scratch directory.
set -eu
for library in libmemsurge.so libmemsurge-tls.so; do
  needed=$(LC_ALL=C objdump -p "$MEMSURGE_BUILT/$library" | sed -n 's/^.*0x[0-9a-f]* 0x[0-9a-f]* [0-9]* \(GLIBC_[0-9.]*\)$/\1/p')
  [ -n "$needed" ] || { echo "needs: no versions found in $library"; exit 1; }
  newest=$(printf '%s\nGLIBC_2.17\n' "$needed" | sort -V | tail -n 1)
  [ "$newest" = GLIBC_2.17 ] || { echo "needs: $library needs $newest"; exit 1; }
done
