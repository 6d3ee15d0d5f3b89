import { lastAtMost } from '../search.ts';

/** Address ranges, of which some may lie within others or overlap. */
export interface RangeIndex {
  readonly length: number;
  /** The row of the range around the address that starts last (the innermost one), or -1. */
  find(address: number): number;
}

/** Overlaps deeper than this are damage; the innermost few ranges decide. */
const MAX_STEPS = 256;

/**
 * Rows are [starts[i], ends[i]). Of ranges with the same start the one given last is found.
 */
export function indexRanges(starts: ArrayLike<number>, ends: ArrayLike<number>): RangeIndex {
  const order = Uint32Array.from({ length: starts.length }, (_, i) => i);
  if (!isAscending(starts)) order.sort((a, b) => starts[a] - starts[b] || a - b);
  const start = Float64Array.from(order, (row) => starts[row]);
  // The furthest end of a range and all before it: where it is not behind the address, none before reaches there.
  const reach = new Float64Array(order.length);
  let furthest = 0;
  for (let i = 0; i < order.length; i++) {
    furthest = Math.max(furthest, ends[order[i]]);
    reach[i] = furthest;
  }
  return {
    length: order.length,
    find(address) {
      const last = lastAtMost(start, address);
      for (let i = last; i >= 0 && i > last - MAX_STEPS && reach[i] > address; i--) {
        if (ends[order[i]] > address) return order[i];
      }
      return -1;
    },
  };
}

function isAscending(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) return false;
  return true;
}
