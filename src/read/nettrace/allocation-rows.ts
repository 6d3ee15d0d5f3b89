import type { RawAllocations } from './capture.ts';
import { sortByTime } from './time-order.ts';

/** Allocation events as they come in; only what lies between two calls of `settle` may be out of order. */
export interface AllocationRows {
  add(time: number, thread: number, heap: number, type: number, stack: number, size: number, amount: number): void;
  /** Everything so far is earlier than what follows: a sequence point. */
  settle(): void;
  clear(): void;
  /** All rows in time order; rows of equal time keep their order. */
  finish(): RawAllocations;
}

/** Rows that the window and the columns have room for at first, and when these were not enough. */
const FEW_ROWS = 1 << 14;
const MANY_ROWS = 1 << 22;

/**
 * Rows wait in a small window, which stays in the processor's cache, and go in time order to columns that grow in a few
 * large steps: memory that is not written yet costs nothing, copying does.
 */
export function createAllocationRows(): AllocationRows {
  let window = columns(FEW_ROWS);
  let waiting = 0;
  let rows = columns(0);
  let length = 0;
  let lastTime = Number.NEGATIVE_INFINITY;
  /** A damaged stream can break the promise of its sequence points. */
  let disordered = false;

  const settle = (): void => {
    if (waiting === 0) return;
    const time = window.time.subarray(0, waiting);
    const order = sortByTime(time);
    disordered ||= time[0] < lastTime;
    lastTime = time[waiting - 1];
    if (length + waiting > rows.time.length) rows = enlarged(rows, length, length + waiting);
    rows.time.set(time, length);
    gather(rows, length, window, order);
    length += waiting;
    waiting = 0;
  };

  return {
    add(time, thread, heap, type, stack, size, amount) {
      if (waiting === window.time.length) window = resized(window, waiting, waiting * 2);
      const at = waiting++;
      window.time[at] = time;
      window.thread[at] = thread;
      window.heap[at] = heap;
      window.type[at] = type;
      window.stack[at] = stack;
      window.objectSize[at] = size;
      window.amount[at] = amount;
    },
    settle,
    clear() {
      waiting = 0;
      rows = columns(0);
      length = 0;
      lastTime = Number.NEGATIVE_INFINITY;
      disordered = false;
    },
    finish() {
      settle();
      return { length, ...(disordered ? sorted(rows, length) : cut(rows, length)) };
    },
  };
}

type Columns = Omit<RawAllocations, 'length'>;

function columns(length: number): Columns {
  return {
    time: new Float64Array(length),
    thread: new Int32Array(length),
    heap: new Uint8Array(length),
    type: new Int32Array(length),
    stack: new Int32Array(length),
    objectSize: new Float64Array(length),
    amount: new Float64Array(length),
  };
}

/** The first `length` rows with room for at least `needed`. */
function enlarged(rows: Columns, length: number, needed: number): Columns {
  return resized(rows, length, needed <= FEW_ROWS ? FEW_ROWS : Math.max(needed, MANY_ROWS, rows.time.length * 4));
}

function resized(rows: Columns, length: number, capacity: number): Columns {
  const from = cut(rows, length);
  const to = columns(capacity);
  to.time.set(from.time);
  to.thread.set(from.thread);
  to.heap.set(from.heap);
  to.type.set(from.type);
  to.stack.set(from.stack);
  to.objectSize.set(from.objectSize);
  to.amount.set(from.amount);
  return to;
}

/** The first `length` rows in time order; rows of equal time keep their order. */
function sorted(rows: Columns, length: number): Columns {
  const ordered = columns(length);
  ordered.time.set(rows.time.subarray(0, length));
  gather(ordered, 0, rows, sortByTime(ordered.time));
  return ordered;
}

/** The first `length` rows, without a copy. */
function cut(rows: Columns, length: number): Columns {
  return {
    time: rows.time.subarray(0, length),
    thread: rows.thread.subarray(0, length),
    heap: rows.heap.subarray(0, length),
    type: rows.type.subarray(0, length),
    stack: rows.stack.subarray(0, length),
    objectSize: rows.objectSize.subarray(0, length),
    amount: rows.amount.subarray(0, length),
  };
}

/** Copies rows `order` of `from` to `to`, from row `at` on, all columns but the time. */
function gather(to: Columns, at: number, from: Columns, order: Uint32Array): void {
  const { thread, heap, type, stack, objectSize, amount } = to;
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const place = at + i;
    thread[place] = from.thread[row];
    heap[place] = from.heap[row];
    type[place] = from.type[row];
    stack[place] = from.stack[row];
    objectSize[place] = from.objectSize[row];
    amount[place] = from.amount[row];
  }
}
