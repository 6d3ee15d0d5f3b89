# The hooks and the block table under every order of their steps.
set -eu
"$MEMSURGE_BUILT/test/interleave"
