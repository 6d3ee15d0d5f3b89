import { float64Column, int32Column, uint8Column } from '../../trace/columns.ts';
import { GENERATIONS } from '../../trace/kinds.ts';
import { NONE } from '../../trace/tables.ts';
import { readPointer, readU16, readU32, readU64, skip, takeUtf16, u64At } from './bytes.ts';
import type { RawGc } from './capture.ts';
import type { EventHandler, StreamEvent } from './event.ts';
import { sortByTime } from './time-order.ts';

/**
 * Garbage collections. Layouts: dotnet/runtime src/coreclr/vm/ClrEtwAll.man, templates GCStart …, GCEnd …, GCHeapStats …,
 * GCSuspendEE …, GCPerHeapHistory_V3, GCDynamicEvent; CommittedUsage: src/coreclr/gc/gcevents.h.
 *
 * The events of one collection come from several threads and only some state its number, so they are kept as records
 * and joined in time order at the end.
 */
export interface GcLog {
  /** Size of the GC heap after the last collection seen so far, bytes; NaN before. */
  readonly heapBytes: number;
  /** The heap's size at a time; the latest time counts, since events are not in time order. */
  setHeap(time: number, bytes: number): void;
  /** Begins a record; its values follow through {@link GcLog.put}. */
  begin(kind: GcRecordKind, time: number): void;
  put(value: number): void;
  finish(): RawGc[];
}

const RECORD_KINDS = ['start', 'end', 'stats', 'per-heap', 'committed', 'suspend', 'restart'] as const;
type GcRecordKind = (typeof RECORD_KINDS)[number];

export function createGcLog(): GcLog {
  const time = float64Column();
  const kind = uint8Column();
  const first = int32Column();
  const values = float64Column();
  let heapBytes = Number.NaN;
  let heapTime = Number.NEGATIVE_INFINITY;
  return {
    get heapBytes() {
      return heapBytes;
    },
    setHeap(at, bytes) {
      if (at < heapTime) return;
      heapTime = at;
      heapBytes = bytes;
    },
    begin(recordKind, at) {
      time.push(at);
      kind.push(RECORD_KINDS.indexOf(recordKind));
      first.push(values.length);
    },
    put(value) {
      values.push(value);
    },
    finish() {
      const times = time.finish();
      const order = sortByTime(times);
      const history = createHistory();
      for (let i = 0; i < times.length; i++) {
        const row = order[i];
        history.take(RECORD_KINDS[kind.data[row]], times[i], values.data, first.data[row]);
      }
      return history.gcs;
    },
  };
}

/** More than a background collection and one above it are open only where ends were lost. */
const MAX_OPEN = 8;

type MutableGc = { -readonly [K in keyof RawGc]: RawGc[K] };

/** Joins the records of the collections, which come in time order. */
function createHistory(): {
  readonly gcs: RawGc[];
  /** The values of the record begin at `at`. */
  take(kind: GcRecordKind, time: number, values: Float64Array, at: number): void;
} {
  const gcs: MutableGc[] = [];
  let open: MutableGc[] = [];
  let lastEnded: MutableGc | undefined;
  let pauseStart = Number.NaN;
  let startedInPause: MutableGc[] = [];
  /** Free bytes per generation of the collection at hand, summed over its heaps. */
  let free: readonly number[] | undefined;
  /** Where the last report of committed bytes begins. */
  let committedAt = NONE;
  let committedSinceStart = 0;

  const start = (gc: MutableGc): void => {
    gcs.push(gc);
    open = [...open.slice(1 - MAX_OPEN), gc];
    startedInPause.push(gc);
    free = undefined;
    committedSinceStart = 0;
    lastEnded = undefined;
  };
  const end = (number: number, depth: number, time: number, values: Float64Array): void => {
    const gc = open.find((one) => one.number === number);
    if (gc === undefined) return;
    open = open.filter((one) => one !== gc);
    gc.end = time;
    if (Number.isNaN(gc.depth)) gc.depth = depth;
    if (free !== undefined) gc.free = free;
    free = undefined;
    // The first report after the start is of before the collection.
    if (committedSinceStart > 1) setCommitted(gc, values, committedAt);
    lastEnded = gc;
  };
  const addFree = (values: Float64Array, at: number): void => {
    // A background collection of server GC reports its heaps after its end, all others before it.
    const late = lastEnded?.type === 'background' ? lastEnded : undefined;
    const sum = (late === undefined ? free : late.free)?.map(
      (bytes, i) => (Number.isNaN(bytes) ? 0 : bytes) + values[at + i],
    );
    const total = sum ?? generationsAt(values, at);
    if (late === undefined) free = total;
    else late.free = total;
  };
  const endPause = (time: number): void => {
    if (!Number.isNaN(pauseStart)) {
      const gc =
        startedInPause.find((one) => one.type !== 'background') ??
        startedInPause[0] ??
        open.find((one) => one.type === 'background');
      if (gc !== undefined) gc.pause += time - pauseStart;
    }
    pauseStart = Number.NaN;
  };

  return {
    gcs,
    take(kind, time, values, at) {
      if (kind === 'start') start(newGc(time, values, at));
      else if (kind === 'end') end(values[at], values[at + 1], time, values);
      else if (kind === 'stats' && lastEnded !== undefined) setStats(lastEnded, values, at);
      else if (kind === 'per-heap') addFree(values, at);
      else if (kind === 'committed') {
        committedAt = at;
        committedSinceStart++;
      } else if (kind === 'suspend') {
        pauseStart = isForGc(values[at]) ? time : Number.NaN;
        startedInPause = [];
      } else if (kind === 'restart') endPause(time);
    },
  };
}

/** One value for each of GENERATIONS; written out, since there are several such arrays per collection. */
function generationsAt(values: Float64Array, at: number): number[] {
  return [values[at], values[at + 1], values[at + 2], values[at + 3], values[at + 4]];
}

/** GCReasonMap of the manifest and gc_reason of src/coreclr/gc/gc.h, in plain words. */
const REASONS = [
  'small object allocation',
  'induced',
  'low memory',
  '',
  'large object allocation',
  'out of space for small objects',
  'out of space for large objects',
  'induced, not forced',
  'stress test',
  'induced, low memory',
  'induced, compacting',
  'low memory of the host',
  'full collection by provisional mode',
  'low memory of the host, blocking',
  'background tuning, small objects',
  'background tuning, large objects',
  'background stepping',
  'induced, aggressive',
];
const TYPES = ['blocking', 'background', 'foreground'] as const;

/** Of all generations; replaced, never written. */
const UNKNOWN: readonly number[] = GENERATIONS.map(() => Number.NaN);

function newGc(time: number, values: Float64Array, at: number): MutableGc {
  const [number, depth, reason, type] = [values[at], values[at + 1], values[at + 2], values[at + 3]];
  return {
    number,
    start: time,
    end: Number.NaN,
    depth,
    reason: REASONS[reason] ?? `reason ${reason}`,
    type: TYPES[type] ?? 'blocking',
    pause: 0,
    size: UNKNOWN,
    free: UNKNOWN,
    promoted: UNKNOWN,
    pinnedObjects: Number.NaN,
    handles: Number.NaN,
    committed: Number.NaN,
    committedFree: Number.NaN,
    bookkeeping: Number.NaN,
  };
}

function setStats(gc: MutableGc, values: Float64Array, at: number): void {
  const generations = GENERATIONS.length;
  gc.size = generationsAt(values, at);
  gc.promoted = generationsAt(values, at + generations);
  gc.pinnedObjects = values[at + 2 * generations];
  gc.handles = values[at + 2 * generations + 1];
}

/** In use, waiting for decommit, free, free globally, bookkeeping. */
function setCommitted(gc: MutableGc, values: Float64Array, at: number): void {
  gc.committedFree = values[at + 1] + values[at + 2] + values[at + 3];
  gc.bookkeeping = values[at + 4];
  gc.committed = values[at] + gc.committedFree + gc.bookkeeping;
}

/** GCSuspendEEReasonMap: 1 for a collection, 6 to prepare one (the later pauses of a background collection). */
function isForGc(reason: number): boolean {
  return reason === 1 || reason === 6;
}

/** GCStart (1): u32 number; v1: u32 depth; u32 reason; v1: u32 type. */
export const gcStart =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin('start', event.time);
    gcs.put(readU32(event));
    gcs.put(version >= 1 ? readU32(event) : Number.NaN);
    gcs.put(readU32(event));
    gcs.put(version >= 1 ? readU32(event) : 0);
  };

/** GCEnd (2): u32 number, depth as u16, v1: u32. */
export const gcEnd =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin('end', event.time);
    gcs.put(readU32(event));
    gcs.put(version >= 1 ? readU32(event) : readU16(event));
  };

/**
 * GCHeapStats (4): u64 size and promoted of generation 0, 1, 2 and the large object heap, u64 × 2 finalization, u32
 * pinned objects, u32 sink blocks, u32 handles; v1: u16 CLR instance; v2: u64 size and promoted of the pinned object heap
 * (before it there is none).
 */
export const heapStats =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    const start = event.pos;
    if (event.end - start < (version >= 2 ? 110 : 92)) return;
    gcs.begin('stats', event.time);
    let size = 0;
    for (let generation = 0; generation < GENERATIONS.length; generation++) {
      const bytes = statAt(event, version, start, generation, 0);
      size += bytes;
      gcs.put(bytes);
    }
    for (let generation = 0; generation < GENERATIONS.length; generation++) {
      gcs.put(statAt(event, version, start, generation, 8));
    }
    gcs.put(event.view.getUint32(start + 80, true));
    gcs.put(event.view.getUint32(start + 88, true));
    gcs.setHeap(event.time, size);
  };

/** GCHeapStats for a summary: the size of the heap, and no row of it. */
export const heapSizeOnly =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    if (event.end - event.pos < (version >= 2 ? 110 : 92)) return;
    const sizes = GENERATIONS.map((_, generation) => statAt(event, version, event.pos, generation, 0));
    gcs.setHeap(
      event.time,
      sizes.reduce((sum, bytes) => sum + bytes, 0),
    );
  };

/** The size (`field` 0) or promoted bytes (`field` 8) of a generation in a GCHeapStats payload. */
function statAt(event: StreamEvent, version: number, start: number, generation: number, field: number): number {
  if (generation < 4) return u64At(event.view, start + 16 * generation + field);
  return version >= 2 ? u64At(event.view, start + 94 + field) : 0;
}

/**
 * GCPerHeapHistory (204) v3, one per heap: u16 CLR instance, 6 pointers, 6 × u32, pointer, u32 count, then per generation 10
 * pointers: size, free list and free objects before; the same three after; 4 more. (Versions below 3 are .NET Framework's.)
 */
export const perHeapHistory = (version: number): EventHandler | undefined => {
  if (version !== 3) return undefined;
  return (event, { gcs }) => {
    const { pointerSize } = event;
    skip(event, 2 + 6 * pointerSize + 24 + pointerSize);
    const count = readU32(event);
    gcs.begin('per-heap', event.time);
    for (let generation = 0; generation < GENERATIONS.length; generation++) {
      if (generation >= count) skip(event, event.end);
      skip(event, 4 * pointerSize);
      gcs.put(readPointer(event, pointerSize) + readPointer(event, pointerSize));
      skip(event, 4 * pointerSize);
    }
  };
};

/**
 * GCDynamicEvent (39): name, u32 size, data. "CommittedUsage" v1: u16 version, then u64 committed bytes in use, waiting for
 * decommit, free, free globally, and of the GC's own bookkeeping.
 */
export const dynamicGcEvent: EventHandler = (event, { gcs }) => {
  if (!takeUtf16(event, 'CommittedUsage') || readU32(event) < 42 || readU16(event) < 1) return;
  gcs.begin('committed', event.time);
  for (let value = 0; value < 5; value++) gcs.put(readU64(event));
};

/** GCSuspendEEBegin (9): reason as u16, v1: u32. */
export const suspendBegin =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin('suspend', event.time);
    gcs.put(version >= 1 ? readU32(event) : readU16(event));
  };

/** GCRestartEEEnd (3): the program's threads run again. */
export const restartEnd: EventHandler = (event, { gcs }) => {
  gcs.begin('restart', event.time);
};
