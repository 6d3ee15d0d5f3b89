/**
 * The agent's file as agent/src/layout.h lays it out: offsets of the header's fields and of each row's, little-endian.
 */
export const MAGIC = 'MEMSURGE';
export const VERSION = 3;
export const HEADER_BYTES = 4096;

export const SECTIONS = [
  'threads',
  'modules',
  'strings',
  'pcs',
  'nodes',
  'stacks',
  'counters',
  'dirty',
  'blocks',
  'maps',
  'samples',
] as const;
export type Section = (typeof SECTIONS)[number];

export const ROW_BYTES: Record<Section, number> = {
  threads: 64,
  modules: 80,
  strings: 1,
  pcs: 16,
  nodes: 8,
  stacks: 8,
  counters: 64,
  dirty: 1,
  blocks: 32,
  maps: 32,
  samples: 48,
};

export const HEADER = {
  version: 8,
  state: 12,
  pid: 16,
  parentPid: 20,
  mode: 24,
  start: 32,
  sectionCount: 36,
  startTime: 40,
  endTime: 48,
  meanBytes: 56,
  tick: 64,
  stop: 68,
  peakBytes: 80,
  peakTime: 88,
  peakEpoch: 96,
  shadowed: 100,
  losses: 104,
  /** Of {@link SECTIONS}, each u64 offset, u64 capacity in bytes, u32 bytes per row, u32 rows. */
  sections: 152,
  executable: 416,
  executableBytes: 512,
  commandLine: 928,
  commandLineBytes: 1024,
  beforeBytes: 1952,
  pidNamespace: 1960,
  sandboxed: 1968,
  strangerCount: 1972,
  stranger: 1976,
  execTime: 2232,
  became: 2240,
  heartbeat: 2496,
  isCut: 2500,
  /** Each with its bytes first; live bytes of the native heap = peak bytes - their sum. */
  gaps: 2560,
  gapBytes: 64,
  gapCount: 17,
} as const;

export const STRANGER = { path: 0, pathBytes: 248, why: 248 } as const;
/** By layout_without: why the agent is not in a program. */
export const WITHOUT = [
  undefined,
  'it was started without the environment that loads the agent',
  'it is linked statically',
  'it is linked with another C library, or not an x64 program',
  'it is built with a sanitizer, which wants to be alone',
  'it is a set-user-id program, into which nothing can be preloaded',
  'it gave up system calls (seccomp) that a recording needs',
  "the agent's library cannot be opened where it was started",
  "the recording's folder cannot be reached from it (another user, root folder or mount namespace)",
  'the agent in it could make no file: a limit of files or of their size, or no room',
] as const;

export const SECTION_ENTRY_BYTES = 24;

export const MODE_EXACT = 2;
export const START_ATTACH = 2;
/** By the number in the header. */
export const STARTS = [undefined, 'preload', 'attach', 'fork'] as const;
export const STATE_STOPPED = 2;

export const THREAD = { tid: 0, startTime: 8, endTime: 16, name: 24, nameBytes: 16 } as const;
export const MODULE = {
  start: 0,
  end: 8,
  bias: 16,
  fromTime: 24,
  toTime: 32,
  path: 40,
  buildIdBytes: 44,
  buildId: 48,
} as const;
export const PC = { pc: 0, fromTime: 8 } as const;
export const NODE = { parent: 0, pc: 4 } as const;
/** In a node's pc: this node is a thread's root, the rest is the thread's row. */
export const THREAD_ROOT = 0x8000_0000;
export const STACK = { node: 0, flags: 4 } as const;
export const KIND_MASK = 0xff;
export const KIND_MAPPED = 1;
export const STACK_TRUNCATED = 0x100;
export const STACK_BROKEN = 0x200;
export const COUNTERS = {
  allocatedBytes: 0,
  allocatedCount: 8,
  ownFreedBytes: 16,
  foreignFreedBytes: 24,
  ownFreedCount: 32,
  foreignFreedCount: 36,
  temporaryCount: 40,
  peakBytes: 48,
  peakEpoch: 56,
  peakCount: 60,
} as const;
/** Blocks of a stack that were freed: what the counts of frees, which are modulo 2^32, say of fewer than 2^31 live ones. */
export const freedCount = (allocated: number, own: number, foreign: number): number =>
  allocated - (((allocated % 2 ** 32) - own - foreign) | 0);
export const BLOCK = { address: 0, size: 8, stack: 16, tick: 20 } as const;
export const MAP = { start: 0, length: 8, stack: 16, tick: 20, time: 24 } as const;
export const SAMPLE = { address: 0, size: 8, time: 16, releasedTime: 24, stack: 32, meanBytes: 40 } as const;
