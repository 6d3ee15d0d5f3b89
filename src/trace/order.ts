/** Row numbers by ascending time, or undefined when the rows are in time order already. */
export function timeOrder(time: Float64Array): Uint32Array | undefined {
  let sorted = true;
  for (let i = 1; i < time.length && sorted; i++) sorted = time[i] >= time[i - 1];
  if (sorted) return undefined;
  const order = new Uint32Array(time.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  return order.sort((a, b) => time[a] - time[b] || a - b);
}

/** The rows `order` of a column that has `width` values for each. */
export function ordered<A extends Float64Array | Int32Array | Uint8Array>(column: A, order: Uint32Array, width = 1): A {
  const result = column.slice(0, order.length * width) as A;
  for (let i = 0; i < result.length; i++) result[i] = column[order[Math.floor(i / width)] * width + (i % width)];
  return result;
}
