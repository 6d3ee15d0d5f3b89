/**
 * Sorts times in place, and gives the row each of them had before. Rows of equal time keep their order. A merge sort over
 * the runs that are there, which touches only the parts of two runs that overlap in time: the runtime writes batch after
 * batch, each a few runs (one per thread), so most of the merges have little or nothing to do.
 */
export function sortByTime(time: Float64Array): Uint32Array {
  const order = new Uint32Array(time.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  const scratch = { time: new Float64Array(0), order: new Uint32Array(0) };
  let starts = runStarts(time);
  while (starts.length > 2) {
    const merged: number[] = [];
    for (let i = 0; i < starts.length - 1; i += 2) {
      merged.push(starts[i]);
      if (i + 2 < starts.length) mergeRuns(time, order, starts[i], starts[i + 1], starts[i + 2], scratch);
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
  time: Float64Array,
  order: Uint32Array,
  from: number,
  middle: number,
  to: number,
  scratch: { time: Float64Array; order: Uint32Array },
): void {
  const start = firstAbove(time, from, middle, time[middle]);
  const count = middle - start;
  if (count === 0) return;
  if (scratch.time.length < count) {
    scratch.time = new Float64Array(count * 2);
    scratch.order = new Uint32Array(count * 2);
  }
  scratch.time.set(time.subarray(start, middle));
  scratch.order.set(order.subarray(start, middle));
  let left = 0;
  let right = middle;
  let out = start;
  while (left < count) {
    const takeRight = right < to && time[right] < scratch.time[left];
    time[out] = takeRight ? time[right] : scratch.time[left];
    order[out++] = takeRight ? order[right++] : scratch.order[left++];
  }
}

/** First position in [from, to) whose key is above `key`, else `to`. */
function firstAbove(time: Float64Array, from: number, to: number, key: number): number {
  while (from < to) {
    const half = (from + to) >>> 1;
    if (time[half] <= key) from = half + 1;
    else to = half;
  }
  return from;
}
