import type { Kind } from './kinds.ts';

/**
 * The model: tables of typed arrays. An entity is a row number; every table has a named index type, so that a
 * signature says which table a number points into. A Trace is read-only once built. Times are ns since the start of
 * the recording, sizes are bytes. `NONE` (-1) in an index column means "there is none".
 */

export const NONE = -1;

export type ProcessIndex = number;
export type ThreadIndex = number;
export type ModuleIndex = number;
export type FileIndex = number;
export type FunctionIndex = number;
export type FrameIndex = number;
export type StackIndex = number;
export type TypeIndex = number;
export type GcIndex = number;

/**
 * How a process's allocations were observed, which decides what may be said about their error.
 * - `exact`: every allocation was seen.
 * - `allocation-sampled`: the runtime's randomized sampling (.NET 10 on): unbiased, the error is known.
 * - `allocation-tick`: one event per ~100 KiB (up to .NET 9): fixed stride, no error.
 * - `allocation-tick-without-size`: ticks that carry no object size (before .NET 6): counts are ticks, no error.
 * - `none`: no allocation events were collected.
 */
export type AllocationSource =
  | 'exact'
  | 'allocation-sampled'
  | 'allocation-tick'
  | 'allocation-tick-without-size'
  | 'none';

/**
 * How a process's native allocations were observed: every one (`exact`: counters per stack, no event times), a random
 * sample by bytes (`sampled`: with times of allocation and release), or not at all.
 */
export type NativeSource = 'exact' | 'sampled' | 'none';

interface ProcessTable {
  readonly length: number;
  readonly pid: Int32Array;
  /** Row of the process that started it, or NONE. */
  readonly parent: Int32Array;
  readonly name: readonly string[];
  readonly commandLine: readonly string[];
  /** For example ".NET 10.0.12"; empty when not known. */
  readonly runtime: readonly string[];
  /** First and last moment the process was observed, ns. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** How it ended in words ("exit code 0", "killed by SIGKILL"), empty when not known. */
  readonly exit: readonly string[];
  readonly allocationSource: readonly AllocationSource[];
  readonly nativeSource: readonly NativeSource[];
  /**
   * 1: nobody can tell how far figures of its GC heap are off, because events were lost or are no random sample. They are
   * neither exact nor have an error.
   */
  readonly errorUnknown: Uint8Array;
  /**
   * Bytes of the native heap in use when recording began: blocks from before an attach, of which nothing else is known. By
   * the C library's own count, with what it adds to each block; NaN where it does not count, 0 where there were none.
   */
  readonly nativeBefore: Float64Array;
}

interface ThreadTable {
  readonly length: number;
  readonly process: Int32Array;
  /** Operating system thread id. */
  readonly osId: Float64Array;
  /** Thread name if one was seen, else empty. */
  readonly name: readonly string[];
}

interface ModuleTable {
  readonly length: number;
  /** Simple name, for example "System.Private.CoreLib". */
  readonly name: readonly string[];
  readonly path: readonly string[];
  /** 1 when the module belongs to the runtime or its framework rather than to the user's program. */
  readonly system: Uint8Array;
}

interface FileTable {
  readonly length: number;
  /** Source path as the symbols state it. */
  readonly path: readonly string[];
  /** `algorithm:hex` of the file as it was compiled, or recorded; undefined where neither is known. */
  readonly checksum: readonly (string | undefined)[];
  /** Source text, only where the trace was recorded with sources. */
  readonly text: readonly (string | undefined)[];
}

/** A function under its readable name. Compiled bodies, tiers and compiler-generated parts of one method share a row. */
interface FunctionTable {
  readonly length: number;
  readonly name: readonly string[];
  readonly module: Int32Array;
  /** 1 for code of the system: all of a system module's, and what others have from a language's library. */
  readonly system: Uint8Array;
  /** File of its source, or NONE; first and last line of it (1-based), 0 when not known. */
  readonly file: Int32Array;
  readonly firstLine: Int32Array;
  readonly lastLine: Int32Array;
}

interface FrameTable {
  readonly length: number;
  readonly function: Int32Array;
  /** File of the line, or NONE. */
  readonly file: Int32Array;
  /** Line, 1-based; 0 when not known. */
  readonly line: Int32Array;
  /** 1 when optimised code has too few bounds to be sure: the line is near, not exact. */
  readonly near: Uint8Array;
}

/** A trie: a row is a whole stack, `prefix` its caller (NONE at the thread's root), always a smaller row number. */
interface StackTable {
  readonly length: number;
  readonly prefix: Int32Array;
  readonly frame: Int32Array;
}

interface TypeTable {
  readonly length: number;
  /** Readable full name, for example "System.Collections.Generic.Dictionary<System.Int32, System.Byte[]>". */
  readonly name: readonly string[];
}

/** Allocations in time order. A sampled row stands for `count` objects of `bytes` bytes altogether. */
export interface AllocationTable {
  readonly length: number;
  readonly time: Float64Array;
  readonly thread: Int32Array;
  /** Row of KINDS and of HEAPS. */
  readonly kind: Uint8Array;
  readonly heap: Uint8Array;
  /** NONE where the kind has no types. */
  readonly type: Int32Array;
  /** NONE when no stack was taken. */
  readonly stack: Int32Array;
  /** Estimated bytes this row stands for. */
  readonly bytes: Float64Array;
  /** Estimated objects this row stands for: 1/p for an object recorded with probability p, 1 when exact. */
  readonly count: Float64Array;
  /** When it was released: ns, Infinity while alive, NaN where that was not recorded. Absent when it never was. */
  readonly released?: Float64Array;
}

/** Distinct combinations of what allocations have in common, by ascending stack; columns as in {@link AllocationTable}. */
export interface CombinationTable {
  readonly length: number;
  readonly kind: Uint8Array;
  readonly heap: Uint8Array;
  readonly type: Int32Array;
  readonly stack: Int32Array;
}

/** Allocations with an index: queries filter and group the combinations, which are far fewer than the rows. */
export interface IndexedAllocations extends AllocationTable {
  /** Row of `combinations`. */
  readonly combination: Int32Array;
  readonly combinations: CombinationTable;
}

/**
 * What the counters of exactly recorded native memory say. All have the shape of allocations; nothing in them is
 * sampled, and a row stands for `count` objects of `bytes` bytes altogether.
 */
export interface NativeTables {
  /** What a stack allocated between two looks at its counters; `time` is that of the later look. */
  readonly allocated: IndexedAllocations;
  /** What was released, in the same stretch, of all that the stack had ever allocated. */
  readonly released: IndexedAllocations;
  /** What was never released, by the look that saw it first: it was allocated in the stretch before `time`. */
  readonly unreleased: IndexedAllocations;
  /** Of `released`, the blocks freed by the very next allocation event of their thread. Counts only: `bytes` are 0. */
  readonly fleeting: IndexedAllocations;
  /** Of what is live at the end, the blocks that were looked at at `time`, shortly before; younger ones are not in here. */
  readonly measured: IndexedAllocations;
  /** Of `measured`, the bytes that were in memory then: of a block never written there are none. */
  readonly resident: IndexedAllocations;
  /** What a stack held when the native heap of its process was at its highest, at `time`. */
  readonly peak: IndexedAllocations;
}

/** Garbage collections of one process. Columns of bytes hold NaN where the trace does not say. */
export interface GcColumns {
  readonly length: number;
  /** The runtime's own number, starting at 1. */
  readonly number: Float64Array;
  readonly start: Float64Array;
  /** NaN when the recording ended before the collection did. */
  readonly end: Float64Array;
  /** Highest generation collected: 0, 1 or 2. */
  readonly depth: Uint8Array;
  /** The runtime's own number of it; `gcReason` has the words. */
  readonly reason: Float64Array;
  /** Row of GC_TYPES. */
  readonly type: Uint8Array;
  /** Time the program's threads were stopped for it, ns. */
  readonly pause: Float64Array;
  /** Committed bytes of the whole GC heap: in use, free but kept, and the GC's own bookkeeping. */
  readonly committed: Float64Array;
  readonly committedFree: Float64Array;
  readonly bookkeeping: Float64Array;
  /** Bytes per generation after it; shape: length × GENERATIONS.length, row-major. `size` is in use plus free. */
  readonly size: Float64Array;
  readonly free: Float64Array;
  readonly promoted: Float64Array;
  readonly pinnedObjects: Float64Array;
  readonly handles: Float64Array;
}

/** Garbage collections of all processes, in the order they ended; those that never did come last. */
export interface GcTable extends GcColumns {
  readonly process: Int32Array;
}

/** One measured quantity of one process over time. */
export interface Series {
  readonly process: ProcessIndex;
  /** "rss" (resident set), "native-live" (requested and not released). A peak is not stored: it is the maximum. */
  readonly name: 'rss' | 'native-live';
  readonly time: Float64Array;
  /** Bytes. */
  readonly value: Float64Array;
}

/** Something that a trace cannot tell, of which memory, and why. */
export interface BlindSpot {
  /** NONE: all processes. */
  readonly process: ProcessIndex;
  /** Kinds of memory that it is about. */
  readonly kinds: readonly Kind[];
  /** The stretch of time that it is about, ns. */
  readonly from: number;
  readonly to: number;
  /**
   * `absent`: nothing of it was recorded, so that no row does not mean no memory; `inexact`: the figures miss something, or
   * have something too much, so that they are not exact and their error is not known; `note`: they stand, with what is said.
   */
  readonly effect: 'absent' | 'inexact' | 'note';
  /** A sentence without an end, which does not name the process. */
  readonly text: string;
}

/** What the trace is, how it was made, and what it cannot know. */
export interface Recording {
  /** "memsurge" for our own recordings, else the foreign format. */
  readonly source: 'memsurge' | 'nettrace' | 'netperf';
  /** File or folder it was read from; empty for a trace made in memory. */
  readonly path: string;
  /** Wall clock at time 0, ms since 1970. */
  readonly startedAt: number;
  /** ns. */
  readonly duration: number;
  /** "run", "attach", or empty for a foreign file. */
  readonly mode: 'run' | 'attach' | '';
  /** Runtime events read, and those the runtime or the reader lost. */
  readonly events: number;
  readonly eventsLost: number;
  /** Frames of all allocation stacks, and those without a name. */
  readonly frames: number;
  readonly framesUnresolved: number;
  /** The same of native stacks, each place that allocates counted once: stripped libraries show as module and offset. */
  readonly nativeFrames: number;
  readonly nativeFramesUnresolved: number;
  /** Mean bytes between samples of the sampled sources. */
  readonly samplingMeanBytes: number;
  /** Set while the trace is still being read: its allocations, collections and names are to come. */
  readonly preview?: true;
  /** Plain sentences about the whole recording: losses, cuts. Shown with every answer. */
  readonly warnings: readonly string[];
  /** Shown with the answers that they are about. */
  readonly blindSpots: readonly BlindSpot[];
}

export interface Trace {
  readonly recording: Recording;
  readonly processes: ProcessTable;
  readonly threads: ThreadTable;
  readonly modules: ModuleTable;
  readonly files: FileTable;
  readonly functions: FunctionTable;
  readonly frames: FrameTable;
  readonly stacks: StackTable;
  readonly types: TypeTable;
  readonly allocations: IndexedAllocations;
  readonly native: NativeTables;
  readonly gcs: GcTable;
  readonly series: readonly Series[];
}
