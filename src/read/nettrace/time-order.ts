/**
 * Row numbers by ascending time, or undefined when the rows are in time order already. Rows of equal time keep their
 * order. A merge sort over the runs that are there, which touches only the parts of two runs that overlap in time: the
 * runtime writes batch after batch, each a few runs (one per thread), so most of a stream is never moved.
 */
export function timeOrder(time: Float64Array): Uint32Array | undefined {
  let starts = runStarts(time);
  if (starts.length <= 2) return undefined;
  const keys = time.slice();
  const order = new Uint32Array(time.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  const scratch = { keys: new Float64Array(0), order: new Uint32Array(0) };
  while (starts.length > 2) {
    const merged: number[] = [];
    for (let i = 0; i < starts.length - 1; i += 2) {
      merged.push(starts[i]);
      if (i + 2 < starts.length) mergeRuns(keys, order, starts[i], starts[i + 1], starts[i + 2], scratch);
    }
    merged.push(time.length);
    starts = merged;
  }
  return order;
}

/** Starts of the ascending runs, and the length at the end. */
function runStarts(time: Float64Array): number[] {
  const starts = [0];
  for (let i = 1; i < time.length; i++) if (time[i] < time[i - 1]) starts.push(i);
  starts.push(time.length);
  return starts;
}

function mergeRuns(
  keys: Float64Array,
  order: Uint32Array,
  from: number,
  middle: number,
  to: number,
  scratch: { keys: Float64Array; order: Uint32Array },
): void {
  const start = firstAbove(keys, from, middle, keys[middle]);
  const count = middle - start;
  if (count === 0) return;
  if (scratch.keys.length < count) {
    scratch.keys = new Float64Array(count * 2);
    scratch.order = new Uint32Array(count * 2);
  }
  scratch.keys.set(keys.subarray(start, middle));
  scratch.order.set(order.subarray(start, middle));
  let left = 0;
  let right = middle;
  let out = start;
  while (left < count) {
    const takeRight = right < to && keys[right] < scratch.keys[left];
    keys[out] = takeRight ? keys[right] : scratch.keys[left];
    order[out++] = takeRight ? order[right++] : scratch.order[left++];
  }
}

/** First position in [from, to) whose key is above `key`, else `to`. */
function firstAbove(keys: Float64Array, from: number, to: number, key: number): number {
  while (from < to) {
    const half = (from + to) >>> 1;
    if (keys[half] <= key) from = half + 1;
    else to = half;
  }
  return from;
}

/** A copy of the first `length` rows of a column, in the given order if there is one. */
export function inOrder<A extends Float64Array | Int32Array | Uint8Array>(
  column: A,
  order: Uint32Array | undefined,
  length: number = column.length,
): A {
  if (order === undefined) return column.slice(0, length) as A;
  const result = new (column.constructor as new (length: number) => A)(length);
  for (let i = 0; i < length; i++) result[i] = column[order[i]];
  return result;
}
