import type { AllocationPart, RawAllocations } from '../../src/read/nettrace/capture.ts';
import { GC_TYPES, GENERATIONS, gcReason } from '../../src/trace/kinds.ts';
import type { GcColumns } from '../../src/trace/tables.ts';

/** The rows of all parts, one after the other, as columns. */
export function rowsOf({ length, parts }: RawAllocations): AllocationPart {
  const numbers = (pick: (part: AllocationPart) => Float64Array) =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  const indices = (pick: (part: AllocationPart) => Int32Array) =>
    Int32Array.from(parts.flatMap((part) => [...pick(part)]));
  return {
    length,
    time: numbers((part) => part.time),
    thread: indices((part) => part.thread),
    heap: Uint8Array.from(parts.flatMap((part) => [...part.heap])),
    type: indices((part) => part.type),
    stack: indices((part) => part.stack),
    objectSize: numbers((part) => part.objectSize),
    amount: numbers((part) => part.amount),
  };
}

/** One garbage collection in words. */
interface CollectionRow {
  number: number;
  start: number;
  end: number;
  depth: number;
  reason: string;
  type: string;
  pause: number;
  size: number[];
  free: number[];
  promoted: number[];
  pinnedObjects: number;
  handles: number;
  committed: number;
  committedFree: number;
  bookkeeping: number;
}

/** The collections one by one. */
export function collectionsOf(gcs: GcColumns): CollectionRow[] {
  const width = GENERATIONS.length;
  return Array.from({ length: gcs.length }, (_, gc) => {
    const perGeneration = (column: Float64Array) => [...column.subarray(gc * width, (gc + 1) * width)];
    return {
      number: gcs.number[gc],
      start: gcs.start[gc],
      end: gcs.end[gc],
      depth: gcs.depth[gc],
      reason: gcReason(gcs.reason[gc]),
      type: GC_TYPES[gcs.type[gc]],
      pause: gcs.pause[gc],
      size: perGeneration(gcs.size),
      free: perGeneration(gcs.free),
      promoted: perGeneration(gcs.promoted),
      pinnedObjects: gcs.pinnedObjects[gc],
      handles: gcs.handles[gc],
      committed: gcs.committed[gc],
      committedFree: gcs.committedFree[gc],
      bookkeeping: gcs.bookkeeping[gc],
    };
  });
}
