import { float64Column, int32Column } from '../../trace/columns.ts';
import { createKeyIndex } from '../../trace/keys.ts';
import { NONE } from '../../trace/tables.ts';
import type { RawStacks } from './capture.ts';
import { damaged } from './damage.ts';

/** Call stacks as a trie of code addresses, and the stack ids that are valid at the moment. */
export interface Stacks {
  /** Trie row of the stack whose addresses lie between two offsets, the leaf first; NONE when it is empty. */
  intern(view: DataView, from: number, to: number): number;
  /** Trie row of prefix plus one address (`low` and `high` are its 32-bit halves). */
  push(prefix: number, low: number, high: number): number;
  /** States that ids `first`, `first` + 1, … are the rows that follow through {@link Stacks.define}. */
  beginBlock(first: number): void;
  define(row: number): void;
  /**
   * Trie row of a stack id, NONE when it is 0 or not valid here.
   * @throws DamagedStream when it is not valid here and `isStrict`
   */
  rowOf(id: number): number;
  /** Forgets all ids: they are only valid between two sequence points. */
  forgetIds(): void;
  finish(): RawStacks;
}

export function createStacks(pointerSize: number, isStrict = false): Stacks {
  const index = createKeyIndex();
  const prefixes = int32Column();
  const addresses = float64Column();

  // Ids come in ascending ranges, as a rule one range between two sequence points. A range is [first, first + count)
  // and its rows start at `offset` of `rows`.
  const rows = int32Column();
  let ranges: { first: number; offset: number; count: number }[] = [];
  let current = { first: 0, offset: 0, count: 0 };

  const forgetIds = (): void => {
    ranges = [];
    current = { first: 0, offset: 0, count: 0 };
    rows.length = 0;
  };

  const push = (prefix: number, low: number, high: number): number => {
    const row = index.add(prefix, low, high);
    if (row === prefixes.length) {
      prefixes.push(prefix);
      addresses.push((low >>> 0) + (high >>> 0) * 0x1_0000_0000);
    }
    return row;
  };

  return {
    push,
    intern(view, from, to) {
      let row = NONE;
      for (let at = to - pointerSize; at >= from; at -= pointerSize) {
        const high = pointerSize === 8 ? view.getInt32(at + 4, true) : 0;
        row = push(row, view.getInt32(at, true), high);
      }
      return row;
    },
    beginBlock(first) {
      if (ranges.length > 0 && current.first + current.count === first) return;
      if (first < current.first + current.count) forgetIds();
      current = { first, offset: rows.length, count: 0 };
      ranges.push(current);
    },
    define(row) {
      rows.push(row);
      current.count++;
    },
    rowOf(id) {
      if (id === 0) return NONE;
      let low = 0;
      let high = ranges.length;
      while (low < high) {
        const half = (low + high) >>> 1;
        if (ranges[half].first + ranges[half].count <= id) low = half + 1;
        else high = half;
      }
      const range = ranges[low];
      if (range !== undefined && id >= range.first) return rows.data[range.offset + id - range.first];
      if (isStrict) damaged('an event has a stack that is not there');
      return NONE;
    },
    forgetIds,
    finish() {
      return { length: prefixes.length, prefix: prefixes.finish(), address: addresses.finish() };
    },
  };
}
