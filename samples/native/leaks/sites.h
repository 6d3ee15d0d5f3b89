/*
 * The places that allocate. Each function says what it does; main.cpp's table says the same in figures.
 * A realloc counts as a release and an allocation. A temporary block is one that its thread releases before it allocates
 * or releases anything else.
 */
#pragma once

/** Keeps a function as it is written: not inlined, not copied, not split. */
#define SITE [[gnu::noipa]]

/** A compiler may delete an allocation whose result nobody uses: everybody could look here. */
extern void *volatile s_sink;

// heap.cpp
void steady_leak();
void mixed_sizes();
void zeroed_blocks();
void temporary_share();
void realloc_chain();
void realloc_in_turns();
void realloc_to_zero();
void short_peak();
void aligned_blocks();
void memalign_blocks();
void copy_strings();

// cpp.cpp
void scalar_new();
void array_new();
void aligned_new();
void vector_growth();
void catch_integers();

// threads.cpp
void produce();
void consume();
void short_lived();
void concurrent_worker();

// plugins.cpp
void use_plugins();

// mappings.cpp
void map_partly_unmapped();
void map_then_grow();
void map_below();
void break_growth();
