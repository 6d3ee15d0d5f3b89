import type { AllocationPart, RawAllocations } from './capture.ts';
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

/** Rows of the window and of the first part; a later part has room for four times those before it, up to the most. */
const FIRST_ROWS = 1 << 14;
const MOST_ROWS = 1 << 22;

/**
 * Rows wait in a small window, which stays in the processor's cache, and go in time order to parts that never grow: each
 * row is copied once. Parts are few and large: memory that is not written yet costs nothing, many small parts cost time.
 */
export function createAllocationRows(): AllocationRows {
  let window = columns(FIRST_ROWS);
  let waiting = 0;
  let parts: Columns[] = [];
  /** Rows in all parts, and how many more the last part has room for. */
  let length = 0;
  let room = 0;
  let lastTime = Number.NEGATIVE_INFINITY;
  /** A damaged stream can break the promise of its sequence points. */
  let disordered = false;

  const settle = (): void => {
    if (waiting === 0) return;
    const time = window.time.subarray(0, waiting);
    const order = sortByTime(time);
    disordered ||= time[0] < lastTime;
    lastTime = time[waiting - 1];
    for (let from = 0; from < waiting; ) {
      if (room === 0) {
        room = Math.min(Math.max(FIRST_ROWS, length * 4), MOST_ROWS);
        parts.push(columns(room));
      }
      const part = parts[parts.length - 1];
      const to = Math.min(waiting, from + room);
      const at = part.time.length - room;
      part.time.set(time.subarray(from, to), at);
      gather(part, at, window, order.subarray(from, to));
      length += to - from;
      room -= to - from;
      from = to;
    }
    waiting = 0;
  };

  return {
    add(time, thread, heap, type, stack, size, amount) {
      if (waiting === window.time.length) window = widened(window);
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
      parts = [];
      length = 0;
      room = 0;
      lastTime = Number.NEGATIVE_INFINITY;
      disordered = false;
    },
    finish() {
      settle();
      const rows = parts.map((part, i) =>
        sized(part, i < parts.length - 1 ? part.time.length : part.time.length - room),
      );
      return { length, parts: disordered ? [sorted(length, rows)] : rows };
    },
  };
}

type Columns = Omit<AllocationPart, 'length'>;

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

function widened(from: Columns): Columns {
  const to = columns(from.time.length * 2);
  copy(to, 0, from);
  return to;
}

/** All rows of the parts in time order; rows of equal time keep their order. */
function sorted(length: number, parts: readonly AllocationPart[]): AllocationPart {
  const joined = columns(length);
  let at = 0;
  for (const part of parts) {
    copy(joined, at, part);
    at += part.length;
  }
  const ordered = columns(length);
  ordered.time.set(joined.time);
  gather(ordered, 0, joined, sortByTime(ordered.time));
  return { length, ...ordered };
}

function copy(to: Columns, at: number, from: Columns): void {
  to.time.set(from.time, at);
  to.thread.set(from.thread, at);
  to.heap.set(from.heap, at);
  to.type.set(from.type, at);
  to.stack.set(from.stack, at);
  to.objectSize.set(from.objectSize, at);
  to.amount.set(from.amount, at);
}

/** The first `length` rows. */
function sized(rows: Columns, length: number): AllocationPart {
  return {
    length,
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
