import type { CodeBody, LoadedModule } from '../../symbols/code.ts';
import type { AllocationSource, GcColumns } from '../../trace/tables.ts';

/**
 * What one event stream holds, before names: the output of the reader and the input of `assemble`. Times are ns on the
 * stream's monotonic clock (on Linux CLOCK_MONOTONIC, so all processes and /proc samples share it), as doubles.
 */
export interface StreamCapture {
  /** "nettrace" or "netperf" (the older container), and the version its header states. */
  readonly format: 'nettrace' | 'netperf';
  readonly version: number;
  readonly pointerSize: 4 | 8;
  /** Monotonic time of the session's start, ns, and the same moment in ms since 1970. */
  readonly startTime: number;
  readonly startedAt: number;
  /** Time of the last event, ns, or of a sequence point that more came behind. */
  readonly endTime: number;
  /** Events decoded (metadata events not counted) and events lost, from gaps in the sequence numbers. */
  readonly events: number;
  readonly eventsLost: number;
  /** Count per event, most frequent first. */
  readonly eventCounts: readonly EventCount[];
  /** Why the stream ended before its end mark, as a sentence; undefined when it is whole. */
  readonly truncated: string | undefined;
  /** It ended before its end mark, and that is all: up to there nothing is damaged. */
  readonly isCut: boolean;
  /** One process up to version 5; version 6 may hold several. */
  readonly processes: readonly ProcessCapture[];
}

export interface EventCount {
  readonly provider: string;
  readonly id: number;
  readonly version: number;
  readonly name: string;
  readonly count: number;
}

export interface ProcessCapture {
  readonly pid: number;
  readonly runtime: string;
  readonly commandLine: string;
  readonly allocationSource: AllocationSource;
  /** No event of the streams that tell of its allocations was lost up to where they end, and nothing in them is damaged. */
  readonly isWhole: boolean;
  readonly allocations: RawAllocations;
  readonly stacks: RawStacks;
  /** Types by the runtime's own name and handle. Nested types come without their outer types, so names may repeat. */
  readonly types: readonly RawType[];
  readonly threads: readonly { readonly osId: number; readonly name: string }[];
  readonly code: readonly CodeBody[];
  readonly modules: readonly LoadedModule[];
  /** In the order in which they started, summed over the heaps of server GC. */
  readonly gcs: GcColumns;
}

export interface RawType {
  readonly name: string;
  /** Address of the type's MethodTable; 0 where the event has none. */
  readonly handle: number;
}

/** Allocation events in time order. */
export interface RawAllocations {
  readonly length: number;
  readonly time: Float64Array;
  /** Row of `threads`. */
  readonly thread: Int32Array;
  /** Row of HEAPS: the event's own statement, guessed from the size for events of single objects, which make none. */
  readonly heap: Uint8Array;
  /** Row of `types`. */
  readonly type: Int32Array;
  /** Row of `stacks`, NONE without one. */
  readonly stack: Int32Array;
  /** Size of the object that was seen; 0 where the event has none (ticks before version 4). */
  readonly objectSize: Float64Array;
  /** Bytes the event itself says it stands for (AllocationTick's amount); for the other events the object's size. */
  readonly amount: Float64Array;
}

/** A trie of code addresses: a row is a whole stack, `prefix` its caller (NONE at the root), a smaller row number. */
export interface RawStacks {
  readonly length: number;
  readonly prefix: Int32Array;
  /** The address on the stack, a return address. */
  readonly address: Float64Array;
}
