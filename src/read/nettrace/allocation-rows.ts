import type { RawAllocations } from './capture.ts';
import { sortByTime } from './time-order.ts';

/** Allocation events as they come in; only what lies between two calls of `settle` may be out of order. */
export interface AllocationRows {
  readonly length: number;
  add(time: number, thread: number, heap: number, type: number, stack: number, size: number, amount: number): void;
  /** Everything so far is earlier than what follows: a sequence point. */
  settle(): void;
  clear(): void;
  /** All rows in time order; rows of equal time keep their order. */
  finish(): RawAllocations;
}

const FIRST_ROWS = 1 << 14;

/**
 * Rows wait in a small window, which stays in the processor's cache, and go in time order to their final columns: there
 * each is written once. The columns grow fourfold, and memory that is not written yet costs nothing.
 */
export function createAllocationRows(): AllocationRows {
  let window = columns(FIRST_ROWS);
  let waiting = 0;
  let settled = columns(FIRST_ROWS);
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
    if (length + waiting > settled.time.length)
      settled = grown(settled, length, Math.max(settled.time.length * 4, length + waiting));
    settled.time.set(time, length);
    gather(settled, length, window, order);
    length += waiting;
    waiting = 0;
  };

  return {
    get length() {
      return length + waiting;
    },
    add(time, thread, heap, type, stack, size, amount) {
      if (waiting === window.time.length) window = grown(window, waiting, waiting * 2);
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
      length = 0;
      lastTime = Number.NEGATIVE_INFINITY;
      disordered = false;
    },
    finish() {
      settle();
      const rows = shortened(settled, length);
      if (!disordered) return { length, ...rows };
      const ordered = columns(length);
      ordered.time.set(rows.time);
      gather(ordered, 0, rows, sortByTime(ordered.time));
      return { length, ...ordered };
    },
  };
}

type Columns = ReturnType<typeof columns>;

function columns(length: number) {
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

function grown(from: Columns, used: number, length: number): Columns {
  const to = columns(length);
  const rows = shortened(from, used);
  to.time.set(rows.time);
  to.thread.set(rows.thread);
  to.heap.set(rows.heap);
  to.type.set(rows.type);
  to.stack.set(rows.stack);
  to.objectSize.set(rows.objectSize);
  to.amount.set(rows.amount);
  return to;
}

function shortened(rows: Columns, length: number): Columns {
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
