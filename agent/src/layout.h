/*
 * The agent's file: what the agent knows of its process, in one sparse file that is mapped shared, so that it is readable
 * at any moment and after any death of the process. Written by the agent only, but for the two fields of the header
 * marked "recorder". Little-endian, naturally aligned. src/read/agent reads it; a change here is a new VERSION, but for a
 * field in the header's unused rest, whose 0 says that it is not known.
 *
 * The file is a header and sections. A section is an array of rows at a fixed offset; `rows` says how many are in use.
 * A row is written before `rows` counts it (release), and never moves. Capacities are address space, not disk: only
 * what is used is ever allocated.
 *
 * Times are CLOCK_MONOTONIC ns. Sizes are bytes as the program asked for them.
 */
#ifndef MEMSURGE_LAYOUT_H
#define MEMSURGE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define LAYOUT_MAGIC "MEMSURGE"
#define LAYOUT_VERSION 3
/** Header's size, and the alignment of every section. */
#define LAYOUT_PAGE 4096
/** Of `gaps`: threads have one each, in turn. A test of all orders has fewer. */
#ifndef LAYOUT_ROOMS
#define LAYOUT_ROOMS 16
#endif

enum layout_mode { MODE_SAMPLED = 1, MODE_EXACT = 2 };
enum layout_arch { ARCH_X64 = 1, ARCH_ARM64 = 2 };
enum layout_start { START_PRELOAD = 1, START_ATTACH = 2, START_FORK = 3 };

enum layout_state {
  STATE_STARTING = 0,
  STATE_RECORDING = 1,
  /** Stopped on request or at a normal exit; a process that was killed stays in RECORDING. */
  STATE_STOPPED = 2,
};

enum layout_section {
  SECTION_THREADS,
  SECTION_MODULES,
  /** Zero-terminated UTF-8; a row is a byte. */
  SECTION_STRINGS,
  SECTION_PCS,
  SECTION_NODES,
  SECTION_STACKS,
  /** Parallel to STACKS. In sampled mode only stacks of KIND_MAPPED count here. */
  SECTION_COUNTERS,
  /** One byte per 64 stacks: low byte of the tick at which one of their counters changed last. */
  SECTION_DIRTY,
  /** Live blocks, in sampled mode those of them that were sampled; free places have address 0, `rows` covers all places. */
  SECTION_BLOCKS,
  /** Live mappings; free places have length 0. */
  SECTION_MAPS,
  /** Sampled mode: every sampled block, in no strict order of time. */
  SECTION_SAMPLES,
  SECTION_COUNT,
};

struct layout_range {
  uint64_t offset;
  uint64_t capacity_bytes;
  uint32_t row_bytes;
  _Atomic uint32_t rows;
};

/** A thread by its serial (its row): thread ids are used again, serials are not. */
struct layout_thread {
  uint32_t tid;
  uint32_t root_node;
  uint64_t start_time;
  /** 0 while it lives. */
  uint64_t end_time;
  /** As it was when the thread became known, or as the thread named itself since. */
  char name[16];
  uint64_t reserved[3];
};

/** An ELF image that a stack led into. */
struct layout_module {
  uint64_t start;
  uint64_t end;
  /** Address in memory minus address in the file's own program headers. */
  uint64_t bias;
  uint64_t from_time;
  /** When it was found to be gone, 0 while mapped. */
  uint64_t to_time;
  /** Row of STRINGS: the absolute path. */
  uint32_t path;
  uint32_t build_id_bytes;
  uint8_t build_id[32];
};

/** A code address as it stands on a stack: a return address, or for the innermost frame of a hook its caller's. */
struct layout_pc {
  uint64_t pc;
  /** When it was seen first: code can be unloaded and its memory used again. */
  uint64_t from_time;
};

#define NODE_THREAD_ROOT 0x80000000u

/** A trie of stacks: row 0 is unused. `pc`: row of PCS; for a thread's root NODE_THREAD_ROOT | serial, with parent 0. */
struct layout_node {
  uint32_t parent;
  uint32_t pc;
};

enum layout_kind { KIND_NATIVE_HEAP = 0, KIND_MAPPED = 1 };
/** Deeper than the agent walks: the outermost frames are missing, the root is still the thread. */
#define STACK_TRUNCATED 0x100u
/** The walk ended before the thread's root. */
#define STACK_BROKEN 0x200u

/** A stack with its kind of memory: one row per distinct (node, kind). Row 0 is unused. */
struct layout_stack {
  uint32_t node;
  /** layout_kind in the low byte, then STACK_ flags. */
  uint32_t flags;
};

/**
 * Sums since the start. Only the stack's own thread writes `allocated` and `own` fields; other threads add atomically to
 * `foreign`. The counts of frees are modulo 2^32: fewer than 2^31 of a stack's blocks live, so
 * live = allocated_count - own_freed_count - foreign_freed_count (modulo 2^32) is exact, and freed = allocated - live.
 */
struct layout_counters {
  uint64_t allocated_bytes;
  uint64_t allocated_count;
  uint64_t own_freed_bytes;
  _Atomic uint64_t foreign_freed_bytes;
  uint32_t own_freed_count;
  _Atomic uint32_t foreign_freed_count;
  /** Blocks freed by the very next event of the same thread. */
  uint64_t temporary_count;
  /** What of this stack was live at the peak of `peak_epoch`; when the header's epoch differs, it is unchanged since the peak. */
  uint64_t peak_bytes;
  uint32_t peak_epoch;
  uint32_t peak_count;
};

/** 32 bytes. */
struct layout_block {
  _Atomic uint64_t address;
  uint64_t size;
  uint32_t stack;
  /** Recorder's tick at its allocation. */
  uint32_t tick;
  /** Serial of the thread that allocated it. */
  uint32_t thread;
  /** Sampled mode: its row of SAMPLES. */
  uint32_t sample;
};

struct layout_map {
  uint64_t start;
  uint64_t length;
  uint32_t stack;
  uint32_t tick;
  uint64_t time;
};

struct layout_sample {
  uint64_t address;
  uint64_t size;
  uint64_t time;
  /** 0 while it lives. */
  _Atomic uint64_t released_time;
  uint32_t stack;
  uint32_t reserved;
  /** Mean of the sampling at this moment: the block was recorded with probability 1 - exp(-size / mean). */
  uint64_t mean_bytes;
};

/** Why the agent is not in a program that was started. */
enum layout_without {
  WITHOUT_NOTHING = 0, /* it is */
  /** LD_PRELOAD or MEMSURGE_AGENT was taken from its environment. */
  WITHOUT_ENVIRONMENT,
  /** It is linked statically. */
  WITHOUT_LOADER,
  /** It has another C library, or is of another processor. */
  WITHOUT_OUR_LOADER,
  WITHOUT_RIVALS, /* it is built with a sanitizer */
  /** It is a set-user-id program. */
  WITHOUT_TRUST,
  /** The program gave up system calls that a start needs. */
  WITHOUT_SYSTEM_CALLS,
  /** The library cannot be opened: another root, another user. */
  WITHOUT_LIBRARY,
  /** The recording's folder cannot be reached: another root, another user. */
  WITHOUT_FOLDER,
  /** No file could be made there: a limit, or no room. */
  WITHOUT_FILE,
};

/** A program that was started without the agent, or a child made by fork in which it could not begin. */
struct layout_stranger {
  /** Zero-terminated, cut to fit; empty when only its descriptor is known. */
  char path[248];
  /** layout_without. */
  uint32_t why;
  uint32_t reserved;
};

/** Why figures are not complete; all 0 in a good recording. */
struct layout_losses {
  /** Blocks that could not be recorded, and their bytes: the file was full or could not grow. */
  _Atomic uint64_t dropped_count;
  _Atomic uint64_t dropped_bytes;
  /** Allocations whose stack could not be recorded: they count under the thread's root. */
  _Atomic uint64_t stackless_count;
  /** Frees and reallocs of blocks that were never seen: from before the start, or of another allocator. */
  _Atomic uint64_t unknown_freed_count;
  /** Blocks found at an address that was thought to be in use: their free was missed. */
  _Atomic uint64_t missed_free_count;
  /** Allocations made inside the agent's own work or in a state in which it must not record. */
  _Atomic uint64_t skipped_count;
};

/** A line of the processor's cache. */
struct layout_gap {
  _Atomic uint64_t bytes;
} __attribute__((aligned(64)));

struct layout_header {
  char magic[8];
  uint32_t version;
  _Atomic uint32_t state;
  int32_t pid;
  int32_t parent_pid;
  uint32_t mode;
  uint32_t arch;
  uint32_t start;
  uint32_t section_count;
  uint64_t start_time;
  _Atomic uint64_t end_time;
  /** Mean of the sampling now, bytes; it doubles each time SECTION_SAMPLES took another 2^20 rows. */
  _Atomic uint64_t mean_bytes;
  /** Recorder: number of its present look at the counters, from 1; 0 until it looked first. Blocks are stamped with it. */
  _Atomic uint32_t tick;
  /** Recorder: 1 asks for a stop. */
  _Atomic uint32_t stop;
  /** Was live_bytes, which `gaps` tell now. */
  uint64_t reserved;
  /** Highest requested bytes of KIND_NATIVE_HEAP. */
  _Atomic uint64_t peak_bytes;
  _Atomic uint64_t peak_time;
  _Atomic uint32_t peak_epoch;
  /** 1 when malloc of the program is not ours: another allocator comes first. */
  _Atomic uint32_t shadowed;
  struct layout_losses losses;
  struct layout_range sections[SECTION_COUNT];
  /** Path of the executable, zero-terminated, and the arguments as /proc/PID/cmdline has them, a zero behind each; both cut to fit. */
  char executable[512];
  char command_line[1024];
  /** Attached: bytes of the native heap in use when recording began, as heap-use.h says; 0 when that is not known. */
  uint64_t before_bytes;
  /** Inode of the pid namespace in which `pid` and `parent_pid` are numbers, as /proc/PID/ns/pid names it; 0 when /proc is not there. */
  uint64_t pid_namespace;
  /** 1 when the program gave up system calls (seccomp) without which the file cannot grow. */
  _Atomic uint32_t sandboxed;
  /** Children that are not recorded, and the last of them: programs without the agent, or forks that note it themselves. */
  _Atomic uint32_t stranger_count;
  struct layout_stranger stranger;
  /** Monotonic ns at which the process began to become another program, without the agent; 0: it did not. */
  _Atomic uint64_t exec_time;
  struct layout_stranger became;
  /** Attached: the recorder changes it ten times a second, while it lives. */
  _Atomic uint32_t heartbeat;
  /** 1: rows that sections are said to have are not there. Written by who copies a file without its holes. */
  uint32_t is_cut;
  /** From what lives of KIND_NATIVE_HEAP to the highest, in parts (live.h): live bytes = peak_bytes - the sum of these. */
  struct layout_gap gaps[1 + LAYOUT_ROOMS];
};

_Static_assert(sizeof(struct layout_thread) == 64, "row size");
_Static_assert(sizeof(struct layout_module) == 80, "row size");
_Static_assert(sizeof(struct layout_counters) == 64, "row size");
_Static_assert(sizeof(struct layout_block) == 32, "row size");
_Static_assert(sizeof(struct layout_map) == 32, "row size");
_Static_assert(sizeof(struct layout_sample) == 48, "row size");
_Static_assert(sizeof(struct layout_stranger) == 256, "row size");
_Static_assert(sizeof(struct layout_header) <= LAYOUT_PAGE, "header fits its page");

#endif
