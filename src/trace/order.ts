/** Row numbers by ascending time, or undefined when the rows are in time order already. */
export function timeOrder(time: Float64Array): Uint32Array | undefined {
  let sorted = true;
  for (let i = 1; i < time.length && sorted; i++) sorted = time[i] >= time[i - 1];
  if (sorted) return undefined;
  return orderByTime(time);
}

/** Rows of one stretch of time, on average, while they are being ordered. */
const ROWS_PER_STRETCH = 8;

/** Rows are counted into equal stretches of time first: comparing millions of rows with each other takes many times as long. */
function orderByTime(time: Float64Array): Uint32Array {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const at of time) {
    if (at < first) first = at;
    if (at > last && at !== Number.POSITIVE_INFINITY) last = at;
  }
  const stretches = Math.ceil(time.length / ROWS_PER_STRETCH);
  const scale = last > first ? (stretches - 1) / (last - first) : 0;
  const stretchOf = (at: number) => (at >= last ? stretches - 1 : Math.trunc((at - first) * scale));

  const end = new Uint32Array(stretches);
  for (const at of time) end[stretchOf(at)]++;
  for (let one = 1; one < stretches; one++) end[one] += end[one - 1];
  const order = new Uint32Array(time.length);
  for (let row = time.length - 1; row >= 0; row--) order[--end[stretchOf(time[row])]] = row;
  for (let one = 0; one < stretches; one++) {
    const stretch = order.subarray(end[one], end[one + 1] ?? time.length);
    if (stretch.length > 1) stretch.sort((a, b) => time[a] - time[b] || a - b);
  }
  return order;
}

/** The rows `order` of a column that has `width` values for each. */
export function ordered<A extends Float64Array | Int32Array | Uint8Array>(column: A, order: Uint32Array, width = 1): A {
  const result = column.slice(0, order.length * width) as A;
  for (let i = 0; i < result.length; i++) result[i] = column[order[Math.floor(i / width)] * width + (i % width)];
  return result;
}
