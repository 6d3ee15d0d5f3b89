# The same cases with the library for processes whose static TLS is exhausted.
MEMSURGE_LIBRARY=$MEMSURGE_BUILT/libmemsurge-tls.so sh test/core.sh "$1"
