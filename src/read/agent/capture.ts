import type { NativeModule } from '../../symbols/code.ts';
import type { RawStacks } from '../nettrace/capture.ts';

/** What the agent's file holds, before names. Times are CLOCK_MONOTONIC ns, sizes bytes as the program asked for them. */
/** A program that was started without the agent. */
export interface Stranger {
  /** Empty when it is not known. */
  readonly path: string;
  /** Why the agent is not in it. */
  readonly why: string;
}

export interface AgentCapture {
  readonly pid: number;
  readonly parentPid: number;
  readonly mode: 'exact' | 'sampled';
  /** How the agent came into it: as it started, into a running process, or with a fork of one that had it. */
  readonly start: 'preload' | 'attach' | 'fork';
  /** Bytes of the native heap that were in use when recording began; NaN when that is not known. */
  readonly beforeBytes: number;
  readonly startTime: number;
  /** NaN when the process ended without telling. */
  readonly endTime: number;
  /** Mean of the sampling at the end. */
  readonly meanBytes: number;
  readonly executable: string;
  /** Another allocator came first, so that malloc was not seen. */
  readonly shadowed: boolean;
  /** The program gave up system calls without which the agent's file cannot grow. */
  readonly sandboxed: boolean;
  /** Programs that it started in children without the agent: how many, and the last. */
  readonly strangers: { readonly count: number; readonly last: Stranger };
  /** What it became without the agent (exec), and when, monotonic ns; undefined: it did not. */
  readonly became: (Stranger & { readonly time: number }) | undefined;
  readonly losses: AgentLosses;
  /** Rows that the file says it has are not there. */
  readonly isCut: boolean;
  readonly threads: readonly AgentThread[];
  /** The ELF images that stacks led into. */
  readonly modules: readonly NativeModule[];
  /** One row per node of the agent's trie; rows that are a thread's root have no address and are nobody's prefix. */
  readonly stacks: RawStacks;
  /** When each address of `stacks` was seen first. */
  readonly seen: Float64Array;
  readonly sites: AgentSites;
  readonly blocks: AgentBlocks;
  readonly samples: AgentSamples;
  /** Highest requested bytes of the native heap in exact mode, and when. */
  readonly peakBytes: number;
  readonly peakTime: number;
  /** The recorder's last look, from 1; 0 when nobody looked. */
  readonly tick: number;
}

/** See layout_losses. */
export interface AgentLosses {
  readonly droppedCount: number;
  readonly droppedBytes: number;
  readonly stacklessCount: number;
  readonly unknownFreedCount: number;
  readonly missedFreeCount: number;
  readonly skippedCount: number;
}

export interface AgentThread {
  readonly osId: number;
  readonly name: string;
}

/**
 * The places that allocate: a stack with its kind of memory, by the agent's row numbers (row 0 is unused). Columns of
 * counters are sums since the start.
 */
export interface AgentSites {
  readonly length: number;
  /** Row of `stacks`, NONE when only the thread is known. */
  readonly stack: Int32Array;
  /** Row of `threads`. */
  readonly thread: Int32Array;
  /** Row of KINDS. */
  readonly kind: Uint8Array;
  readonly allocatedBytes: Float64Array;
  readonly allocatedCount: Float64Array;
  readonly freedBytes: Float64Array;
  readonly freedCount: Float64Array;
  /** Blocks freed by the very next allocation event of their thread. */
  readonly temporaryCount: Float64Array;
  /** What was live when the native heap was at its peak; 0 for other kinds. */
  readonly peakBytes: Float64Array;
  readonly peakCount: Float64Array;
  /** 1 per stack that was too deep: its outermost frames are missing. */
  readonly isTruncated: Uint8Array;
  /** Stacks that were not walked to the thread's root. */
  readonly broken: number;
}

/** What was live at the end, summed by site and by the recorder's tick at the allocation. */
export interface AgentBlocks {
  readonly length: number;
  readonly site: Int32Array;
  readonly tick: Int32Array;
  readonly bytes: Float64Array;
  readonly count: Float64Array;
}

/** Sampled blocks in the order of their allocation. */
export interface AgentSamples {
  readonly length: number;
  readonly address: Float64Array;
  readonly size: Float64Array;
  readonly time: Float64Array;
  /** Infinity while it lives. */
  readonly released: Float64Array;
  readonly site: Int32Array;
  /** Mean of the sampling at that moment: recorded with probability 1 − exp(−size / mean). */
  readonly meanBytes: Float64Array;
}
