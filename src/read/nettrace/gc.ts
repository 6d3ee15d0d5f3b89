import { float64Column, int32Column, uint8Column } from '../../trace/columns.ts';
import { GENERATIONS } from '../../trace/kinds.ts';
import { readPointer, readU16, readU32, readU64, skip, takeUtf16 } from './bytes.ts';
import type { RawGc } from './capture.ts';
import type { EventHandler } from './event.ts';
import { timeOrder } from './time-order.ts';

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
  add(kind: GcRecordKind, time: number, values: readonly number[]): void;
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
    add(recordKind, at, recordValues) {
      time.push(at);
      kind.push(RECORD_KINDS.indexOf(recordKind));
      first.push(values.length);
      for (const value of recordValues) values.push(value);
    },
    finish() {
      const times = time.finish();
      const order = timeOrder(times);
      const history = createHistory();
      for (let i = 0; i < times.length; i++) {
        const row = order === undefined ? i : order[i];
        const end = row + 1 < first.length ? first.data[row + 1] : values.length;
        history.take(RECORD_KINDS[kind.data[row]], times[row], values.data.subarray(first.data[row], end));
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
  take(kind: GcRecordKind, time: number, values: Float64Array): void;
} {
  const gcs: MutableGc[] = [];
  let open: MutableGc[] = [];
  let lastEnded: MutableGc | undefined;
  let pauseStart = Number.NaN;
  let startedInPause: MutableGc[] = [];
  /** Free bytes per generation of the collection at hand, summed over its heaps. */
  let free: Float64Array | undefined;
  let committed: Float64Array | undefined;
  let committedSinceStart = 0;

  const start = (gc: MutableGc): void => {
    gcs.push(gc);
    open = [...open.slice(1 - MAX_OPEN), gc];
    startedInPause.push(gc);
    free = undefined;
    committedSinceStart = 0;
    lastEnded = undefined;
  };
  const end = (number: number, depth: number, time: number): void => {
    const gc = open.find((one) => one.number === number);
    if (gc === undefined) return;
    open = open.filter((one) => one !== gc);
    gc.end = time;
    if (Number.isNaN(gc.depth)) gc.depth = depth;
    if (free !== undefined) gc.free.set(free);
    free = undefined;
    // The first report after the start is of before the collection.
    if (committed !== undefined && committedSinceStart > 1) setCommitted(gc, committed);
    lastEnded = gc;
  };
  const addFree = (values: Float64Array): void => {
    // A background collection of server GC reports its heaps after its end, all others before it.
    if (lastEnded?.type === 'background') {
      const { free: sum } = lastEnded;
      sum.set(values.map((bytes, i) => (Number.isNaN(sum[i]) ? 0 : sum[i]) + bytes));
    } else if (free === undefined) free = values.slice();
    else free = free.map((bytes, i) => bytes + values[i]);
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
    take(kind, time, values) {
      if (kind === 'start') start(newGc(time, values));
      else if (kind === 'end') end(values[0], values[1], time);
      else if (kind === 'stats' && lastEnded !== undefined) setStats(lastEnded, values);
      else if (kind === 'per-heap') addFree(values);
      else if (kind === 'committed') {
        committed = values;
        committedSinceStart++;
      } else if (kind === 'suspend') {
        pauseStart = isForGc(values[0]) ? time : Number.NaN;
        startedInPause = [];
      } else if (kind === 'restart') endPause(time);
    },
  };
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

function newGc(time: number, [number, depth, reason, type]: Float64Array): MutableGc {
  const unknown = () => new Float64Array(GENERATIONS.length).fill(Number.NaN);
  return {
    number,
    start: time,
    end: Number.NaN,
    depth,
    reason: REASONS[reason] ?? `reason ${reason}`,
    type: TYPES[type] ?? 'blocking',
    pause: 0,
    size: unknown(),
    free: unknown(),
    promoted: unknown(),
    pinnedObjects: Number.NaN,
    handles: Number.NaN,
    committed: Number.NaN,
    committedFree: Number.NaN,
    bookkeeping: Number.NaN,
  };
}

function setStats(gc: MutableGc, values: Float64Array): void {
  const generations = GENERATIONS.length;
  gc.size.set(values.subarray(0, generations));
  gc.promoted.set(values.subarray(generations, 2 * generations));
  gc.pinnedObjects = values[2 * generations];
  gc.handles = values[2 * generations + 1];
}

function setCommitted(gc: MutableGc, [inUse, decommit, free, globalFree, bookkeeping]: Float64Array): void {
  gc.committedFree = decommit + free + globalFree;
  gc.bookkeeping = bookkeeping;
  gc.committed = inUse + gc.committedFree + bookkeeping;
}

/** GCSuspendEEReasonMap: 1 for a collection, 6 to prepare one (the later pauses of a background collection). */
function isForGc(reason: number): boolean {
  return reason === 1 || reason === 6;
}

/** GCStart (1): u32 number; v1: u32 depth; u32 reason; v1: u32 type. */
export const gcStart =
  (version: number): EventHandler =>
  (event, process) => {
    const number = readU32(event);
    const depth = version >= 1 ? readU32(event) : Number.NaN;
    const reason = readU32(event);
    const type = version >= 1 ? readU32(event) : 0;
    process.gcs.add('start', event.time, [number, depth, reason, type]);
  };

/** GCEnd (2): u32 number, depth as u16, v1: u32. */
export const gcEnd =
  (version: number): EventHandler =>
  (event, process) => {
    const number = readU32(event);
    process.gcs.add('end', event.time, [number, version >= 1 ? readU32(event) : readU16(event)]);
  };

/**
 * GCHeapStats (4): u64 size and promoted of generation 0, 1, 2 and the large object heap, u64 × 2 finalization, u32
 * pinned objects, u32 sink blocks, u32 handles; v1: u16 CLR instance; v2: u64 size and promoted of the pinned object heap
 * (before it there is none).
 */
export const heapStats =
  (version: number): EventHandler =>
  (event, process) => {
    const size: number[] = [];
    const promoted: number[] = [];
    for (let generation = 0; generation < 4; generation++) {
      size.push(readU64(event));
      promoted.push(readU64(event));
    }
    skip(event, 16);
    const pinned = readU32(event);
    skip(event, 4);
    const handles = readU32(event);
    readU16(event);
    size.push(version >= 2 ? readU64(event) : 0);
    promoted.push(version >= 2 ? readU64(event) : 0);
    process.gcs.setHeap(
      event.time,
      size.reduce((sum, bytes) => sum + bytes, 0),
    );
    process.gcs.add('stats', event.time, [...size, ...promoted, pinned, handles]);
  };

/** GCHeapStats for a summary: the sizes only, and no row of them. */
export const heapSizeOnly =
  (version: number): EventHandler =>
  (event, process) => {
    let bytes = 0;
    for (let generation = 0; generation < 4; generation++) {
      bytes += readU64(event);
      skip(event, 8);
    }
    skip(event, 30);
    process.gcs.setHeap(event.time, bytes + (version >= 2 ? readU64(event) : 0));
  };

/**
 * GCPerHeapHistory (204) v3, one per heap: u16 CLR instance, 6 pointers, 6 × u32, pointer, u32 count, then per generation 10
 * pointers: size, free list and free objects before; the same three after; 4 more. (Versions below 3 are .NET Framework's.)
 */
export const perHeapHistory = (version: number): EventHandler | undefined => {
  if (version !== 3) return undefined;
  return (event, process) => {
    const { pointerSize } = event;
    skip(event, 2 + 6 * pointerSize + 24 + pointerSize);
    const count = Math.min(readU32(event), GENERATIONS.length);
    const free = new Array<number>(GENERATIONS.length).fill(0);
    for (let generation = 0; generation < count; generation++) {
      skip(event, 4 * pointerSize);
      free[generation] = readPointer(event, pointerSize) + readPointer(event, pointerSize);
      skip(event, 4 * pointerSize);
    }
    process.gcs.add('per-heap', event.time, free);
  };
};

/**
 * GCDynamicEvent (39): name, u32 size, data. "CommittedUsage" v1: u16 version, then u64 committed bytes in use, waiting for
 * decommit, free, free globally, and of the GC's own bookkeeping.
 */
export const dynamicGcEvent: EventHandler = (event, process) => {
  if (!takeUtf16(event, 'CommittedUsage') || readU32(event) < 42 || readU16(event) < 1) return;
  process.gcs.add(
    'committed',
    event.time,
    Array.from({ length: 5 }, () => readU64(event)),
  );
};

/** GCSuspendEEBegin (9): reason as u16, v1: u32. */
export const suspendBegin =
  (version: number): EventHandler =>
  (event, process) => {
    process.gcs.add('suspend', event.time, [version >= 1 ? readU32(event) : readU16(event)]);
  };

/** GCRestartEEEnd (3): the program's threads run again. */
export const restartEnd: EventHandler = (event, process) => {
  process.gcs.add('restart', event.time, []);
};
