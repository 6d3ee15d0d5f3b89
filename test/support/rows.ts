import { GC_TYPES, GENERATIONS, gcReason } from '../../src/trace/kinds.ts';
import type { GcColumns } from '../../src/trace/tables.ts';

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
