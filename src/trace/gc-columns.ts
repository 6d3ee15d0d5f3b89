import { GENERATIONS } from './kinds.ts';
import { ordered, timeOrder } from './order.ts';
import type { GcColumns, GcTable, ProcessIndex } from './tables.ts';

/** Collections to be filled in: NaN where a column has such a value, 0 in the others. */
export function gcColumns(length: number): GcColumns {
  const unknown = (values = length) => new Float64Array(values).fill(Number.NaN);
  return {
    length,
    number: unknown(),
    start: unknown(),
    end: unknown(),
    depth: new Uint8Array(length),
    reason: new Float64Array(length),
    type: new Uint8Array(length),
    pause: new Float64Array(length),
    committed: unknown(),
    committedFree: unknown(),
    bookkeeping: unknown(),
    size: unknown(length * GENERATIONS.length),
    free: unknown(length * GENERATIONS.length),
    promoted: unknown(length * GENERATIONS.length),
    pinnedObjects: unknown(),
    handles: unknown(),
  };
}

/** The collections `rows`, in that order. */
export function gcRows(gcs: GcColumns, rows: Uint32Array): GcColumns {
  return { length: rows.length, ...eachColumn((pick, width) => ordered(pick(gcs), rows, width)) };
}

/** The collections of one part after those of the other. A single part is taken as it is, without a copy. */
export function concatenatedGcs(parts: readonly GcColumns[]): GcColumns {
  if (parts.length === 1) return parts[0];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const empty = gcColumns(length);
  const joined = eachColumn((pick, width) => {
    const column = pick(empty);
    let at = 0;
    for (const part of parts) {
      column.set(pick(part), at);
      at += part.length * width;
    }
    return column;
  });
  return { length, ...joined };
}

/** The collections of all processes in the order they ended. */
export function joinGcs(parts: readonly { readonly process: ProcessIndex; readonly gcs: GcColumns }[]): GcTable {
  const gcs = concatenatedGcs(parts.map((part) => part.gcs));
  const process = new Int32Array(gcs.length);
  let at = 0;
  for (const part of parts) {
    process.fill(part.process, at, at + part.gcs.length);
    at += part.gcs.length;
  }
  const order = timeOrder(gcs.end.map((end) => (Number.isNaN(end) ? Number.POSITIVE_INFINITY : end)));
  return order === undefined ? { ...gcs, process } : { ...gcRows(gcs, order), process: ordered(process, order) };
}

type Pick<A> = (gcs: GcColumns) => A;

/** Makes each column from those it picks; `width` is how many values a collection has in it. */
function eachColumn(
  make: <A extends Float64Array | Uint8Array>(pick: Pick<A>, width: number) => A,
): Omit<GcColumns, 'length'> {
  return {
    number: make((gcs) => gcs.number, 1),
    start: make((gcs) => gcs.start, 1),
    end: make((gcs) => gcs.end, 1),
    depth: make((gcs) => gcs.depth, 1),
    reason: make((gcs) => gcs.reason, 1),
    type: make((gcs) => gcs.type, 1),
    pause: make((gcs) => gcs.pause, 1),
    committed: make((gcs) => gcs.committed, 1),
    committedFree: make((gcs) => gcs.committedFree, 1),
    bookkeeping: make((gcs) => gcs.bookkeeping, 1),
    size: make((gcs) => gcs.size, GENERATIONS.length),
    free: make((gcs) => gcs.free, GENERATIONS.length),
    promoted: make((gcs) => gcs.promoted, GENERATIONS.length),
    pinnedObjects: make((gcs) => gcs.pinnedObjects, 1),
    handles: make((gcs) => gcs.handles, 1),
  };
}
