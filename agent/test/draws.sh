# How often the sampler hits a block, by its size.
"$MEMSURGE_BUILT/test/draws"
