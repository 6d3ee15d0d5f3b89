import type { RawAllocations } from './capture.ts';
import { sortByTime } from './time-order.ts';

/** Allocation events as they come in, in any order of time. */
export interface AllocationRows {
  readonly length: number;
  add(time: number, thread: number, heap: number, type: number, stack: number, size: number, amount: number): void;
  clear(): void;
  /** All rows in time order; rows of equal time keep their order. */
  finish(): RawAllocations;
}

/** Rows per chunk, a power of two. */
const CHUNK_BITS = 16;
const CHUNK_ROWS = 1 << CHUNK_BITS;

/** Rows in chunks that are never copied while their number grows: each is copied once, to its place in time. */
export function createAllocationRows(): AllocationRows {
  let chunks: Columns[] = [];
  let chunk = columns(0);
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(time, thread, heap, type, stack, size, amount) {
      const at = length++ & (CHUNK_ROWS - 1);
      if (at === 0) {
        chunk = columns(CHUNK_ROWS);
        chunks.push(chunk);
      }
      chunk.time[at] = time;
      chunk.thread[at] = thread;
      chunk.heap[at] = heap;
      chunk.type[at] = type;
      chunk.stack[at] = stack;
      chunk.objectSize[at] = size;
      chunk.amount[at] = amount;
    },
    clear() {
      chunks = [];
      length = 0;
    },
    finish() {
      const rows = columns(length);
      for (let i = 0; i < chunks.length; i++) {
        const from = i * CHUNK_ROWS;
        rows.time.set(chunks[i].time.subarray(0, length - from), from);
      }
      gather(rows, chunks, sortByTime(rows.time));
      return { length, ...rows };
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

/** Fills all columns but the time, which is sorted already. */
function gather(rows: Columns, chunks: readonly Columns[], order: Uint32Array): void {
  const { thread, heap, type, stack, objectSize, amount } = rows;
  for (let i = 0; i < order.length; i++) {
    const chunk = chunks[order[i] >>> CHUNK_BITS];
    const at = order[i] & (CHUNK_ROWS - 1);
    thread[i] = chunk.thread[at];
    heap[i] = chunk.heap[at];
    type[i] = chunk.type[at];
    stack[i] = chunk.stack[at];
    objectSize[i] = chunk.objectSize[at];
    amount[i] = chunk.amount[at];
  }
}
