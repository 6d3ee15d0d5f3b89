import { float64Column, int32Column, uint8Column } from '../../trace/columns.ts';
import { GENERATIONS } from '../../trace/kinds.ts';
import type { GcColumns } from '../../trace/tables.ts';
import { readPointer, readU16, readU32, readU64, skip, takeUtf16, u64At } from './bytes.ts';
import type { EventHandler, StreamEvent } from './event.ts';
import { createGcHistory, GcRecord } from './gc-history.ts';
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
  begin(kind: GcRecord, time: number): void;
  put(value: number): void;
  finish(): GcColumns;
}

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
      kind.push(recordKind);
      first.push(values.length);
    },
    put(value) {
      values.push(value);
    },
    finish() {
      const times = time.finish();
      const kinds = kind.finish();
      const order = sortByTime(times);
      const history = createGcHistory(kinds.filter((one) => one === GcRecord.start).length);
      for (let i = 0; i < times.length; i++) {
        const row = order[i];
        history.take(kinds[row] as GcRecord, times[i], values.data, first.data[row]);
      }
      return history.gcs;
    },
  };
}

/** GCStart (1): u32 number; v1: u32 depth; u32 reason; v1: u32 type. */
export const gcStart =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin(GcRecord.start, event.time);
    gcs.put(readU32(event));
    gcs.put(version >= 1 ? readU32(event) : Number.NaN);
    gcs.put(readU32(event));
    gcs.put(version >= 1 ? readU32(event) : 0);
  };

/** GCEnd (2): u32 number, depth as u16, v1: u32. */
export const gcEnd =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin(GcRecord.end, event.time);
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
    gcs.begin(GcRecord.stats, event.time);
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
    gcs.begin(GcRecord.perHeap, event.time);
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
  gcs.begin(GcRecord.committed, event.time);
  for (let value = 0; value < 5; value++) gcs.put(readU64(event));
};

/** GCSuspendEEBegin (9): reason as u16, v1: u32. */
export const suspendBegin =
  (version: number): EventHandler =>
  (event, { gcs }) => {
    gcs.begin(GcRecord.suspend, event.time);
    gcs.put(version >= 1 ? readU32(event) : readU16(event));
  };

/** GCRestartEEEnd (3): the program's threads run again. */
export const restartEnd: EventHandler = (event, { gcs }) => {
  gcs.begin(GcRecord.restart, event.time);
};
