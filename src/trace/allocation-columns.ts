import { type Float64Column, float64Column, int32Column, uint8Column } from './columns.ts';
import type { HeapIndex, KindIndex } from './kinds.ts';
import { ordered, timeOrder } from './order.ts';
import type { AllocationTable, StackIndex, ThreadIndex, TypeIndex } from './tables.ts';

/** Allocations written row by row, in any order. Readers of large traces make whole columns instead. */
export interface AllocationColumns {
  /** `bytes` and `count` are what the row stands for; `released` is undefined where releases are not recorded. */
  add(
    time: number,
    thread: ThreadIndex,
    kind: KindIndex,
    heap: HeapIndex,
    type: TypeIndex,
    stack: StackIndex,
    bytes: number,
    count: number,
    released?: number,
  ): void;
  finish(): AllocationTable;
}

export function createAllocationColumns(): AllocationColumns {
  const time = float64Column();
  const thread = int32Column();
  const kind = uint8Column();
  const heap = uint8Column();
  const type = int32Column();
  const stack = int32Column();
  const bytes = float64Column();
  const count = float64Column();
  let released: Float64Column | undefined;
  return {
    add(...row) {
      const end = row[8];
      if (end !== undefined) released ??= alive(time.length);
      released?.push(end ?? Number.POSITIVE_INFINITY);
      [time, thread, kind, heap, type, stack, bytes, count].forEach((column, i) => {
        column.push(row[i] as number);
      });
    },
    finish: () => ({
      length: time.length,
      time: time.finish(),
      thread: thread.finish(),
      kind: kind.finish(),
      heap: heap.finish(),
      type: type.finish(),
      stack: stack.finish(),
      bytes: bytes.finish(),
      count: count.finish(),
      ...(released && { released: released.finish() }),
    }),
  };
}

/** A column of `length` rows that are not released. */
function alive(length: number): Float64Column {
  const column = float64Column();
  for (let i = 0; i < length; i++) column.push(Number.POSITIVE_INFINITY);
  return column;
}

/** The rows of all parts in time order. A single part in order is taken as it is, without a copy. */
export function joinAllocations(parts: readonly AllocationTable[]): AllocationTable {
  const joined = parts.length === 1 ? parts[0] : concatenated(parts);
  const order = timeOrder(joined.time);
  if (order === undefined) return joined;
  const { length, time, thread, kind, heap, type, stack, bytes, count, released } = joined;
  return {
    length,
    time: ordered(time, order),
    thread: ordered(thread, order),
    kind: ordered(kind, order),
    heap: ordered(heap, order),
    type: ordered(type, order),
    stack: ordered(stack, order),
    bytes: ordered(bytes, order),
    count: ordered(count, order),
    ...(released && { released: ordered(released, order) }),
  };
}

function concatenated(parts: readonly AllocationTable[]): AllocationTable {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = <A extends Float64Array | Int32Array | Uint8Array>(
    column: A,
    pick: (part: AllocationTable) => A,
  ): A => {
    let at = 0;
    for (const part of parts) {
      column.set(pick(part), at);
      at += part.length;
    }
    return column;
  };
  const releasesKnown = parts.some((part) => part.released !== undefined);
  const unknown = (part: AllocationTable) => new Float64Array(part.length).fill(Number.NaN);
  return {
    length,
    time: whole(new Float64Array(length), (part) => part.time),
    thread: whole(new Int32Array(length), (part) => part.thread),
    kind: whole(new Uint8Array(length), (part) => part.kind),
    heap: whole(new Uint8Array(length), (part) => part.heap),
    type: whole(new Int32Array(length), (part) => part.type),
    stack: whole(new Int32Array(length), (part) => part.stack),
    bytes: whole(new Float64Array(length), (part) => part.bytes),
    count: whole(new Float64Array(length), (part) => part.count),
    ...(releasesKnown && { released: whole(new Float64Array(length), (part) => part.released ?? unknown(part)) }),
  };
}
