import { kindIndex } from '../trace/kinds.ts';
import type { IndexedAllocations } from '../trace/tables.ts';
import type { Unit } from '../trace/view.ts';

/**
 * Sums per group: {@link WIDTH} numbers each, side by side so that one row of allocations touches one cache line:
 * bytes, objects, variance of the unit asked for (NaN when its error is not known), rows, and of the unit what the rows
 * stand for beside themselves, see `Estimate` in error.ts.
 */
export type Sums = Float64Array;

export const WIDTH = 5;
export const BYTES = 0;
export const COUNT = 1;
export const VARIANCE = 2;
export const ROWS = 3;
export const UNSEEN = 4;

/** What allocations can be filtered and summed by: columns whose values are rows of another table. */
export type Column = 'kind' | 'heap' | 'type' | 'thread' | 'stack';

/** Which rows of a table are added; without masks all. */
export interface RowFilter {
  readonly table: IndexedAllocations;
  /** 1 per row of the table's combinations that is selected. */
  readonly combinationMask?: Uint8Array | undefined;
  /** 1 per thread slot that is selected: thread t is at t + 1, none at 0. */
  readonly threadMask?: Uint8Array | undefined;
  readonly counts?: (row: number) => boolean;
}

/** What the variance is of: none for what was counted; not known of the GC heap's objects of threads that `unknown` marks. */
export interface ErrorOf {
  readonly unit?: Unit;
  readonly unknown?: Uint8Array | undefined;
}

const GC_HEAP = kindIndex('gc-heap');

/** Rows that are selected before they are added; few, so that their numbers stay in the processor's first cache. */
const SELECTED = new Int32Array(4096);

/**
 * Adds the rows of [start, end) that the filter selects to the groups of their values in `column`: value v is group v + 1.
 */
export function addRows(
  sums: Sums,
  column: Int32Array | Uint8Array,
  filter: RowFilter,
  error: ErrorOf,
  sign: 1 | -1,
  start: number,
  end: number,
): void {
  const { combinationMask, threadMask, counts } = filter;
  if (combinationMask === undefined && threadMask === undefined && counts === undefined) {
    add(sums, column, filter.table, error, sign, undefined, start, end);
    return;
  }
  for (let row = start; row < end; row += SELECTED.length) {
    const selected = selectRows(filter, combinationMask, row, Math.min(end, row + SELECTED.length));
    add(sums, column, filter.table, error, sign, SELECTED, 0, selected);
  }
}

// The loops are functions of their own arguments: variables of an enclosing function would be slower here.

/** Fills {@link SELECTED} and returns how many there are; without branches, since no processor can foretell them. */
function selectRows(
  { table, threadMask, counts }: RowFilter,
  combinationMask: Uint8Array | undefined,
  start: number,
  end: number,
): number {
  const { combination, thread } = table;
  let selected = 0;
  if (combinationMask !== undefined && threadMask !== undefined) {
    for (let row = start; row < end; row++) {
      SELECTED[selected] = row;
      selected += combinationMask[combination[row]] & threadMask[thread[row] + 1];
    }
  } else if (combinationMask !== undefined) {
    for (let row = start; row < end; row++) {
      SELECTED[selected] = row;
      selected += combinationMask[combination[row]];
    }
  } else if (threadMask !== undefined) {
    for (let row = start; row < end; row++) {
      SELECTED[selected] = row;
      selected += threadMask[thread[row] + 1];
    }
  } else {
    for (let row = start; row < end; row++) SELECTED[selected++] = row;
  }
  if (counts === undefined) return selected;
  let counted = 0;
  for (let i = 0; i < selected; i++) if (counts(SELECTED[i])) SELECTED[counted++] = SELECTED[i];
  return counted;
}

/** Adds the rows of `rows` from `from` to `to`, or these rows themselves. */
function add(
  sums: Sums,
  column: Int32Array | Uint8Array,
  { bytes, count, thread, kind }: IndexedAllocations,
  { unit, unknown }: ErrorOf,
  sign: 1 | -1,
  rows: Int32Array | undefined,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) {
    const row = rows === undefined ? i : rows[i];
    const at = (column[row] + 1) * WIDTH;
    const b = bytes[row];
    const c = count[row];
    sums[at] += sign * b;
    sums[at + COUNT] += sign * c;
    sums[at + ROWS]++;
    if (c > 1 && unit !== undefined) {
      const value = unit === 'bytes' ? b : c;
      const unseen = (1 - 1 / c) * value;
      // What is subtracted adds its variance too.
      sums[at + VARIANCE] += unseen * value;
      sums[at + UNSEEN] += sign > 0 ? unseen : Number.POSITIVE_INFINITY;
    }
    if (unknown !== undefined && unknown[thread[row]] === 1 && kind[row] === GC_HEAP) sums[at + VARIANCE] = Number.NaN;
  }
}

/** Adds what was summed by cell (cell c is group c + 1 of `cells`) as {@link addRows} does rows; without `mask` all. */
export function addCells(
  sums: Sums,
  column: Int32Array | Uint8Array,
  mask: Uint8Array | undefined,
  sign: 1 | -1,
  cells: Sums,
): void {
  for (let cell = 0, from = WIDTH; from < cells.length; cell++, from += WIDTH) {
    if (cells[from + ROWS] === 0 || (mask !== undefined && mask[cell] === 0)) continue;
    const at = (column[cell] + 1) * WIDTH;
    sums[at] += sign * cells[from];
    sums[at + COUNT] += sign * cells[from + COUNT];
    sums[at + VARIANCE] += cells[from + VARIANCE];
    sums[at + ROWS] += cells[from + ROWS];
    sums[at + UNSEEN] += sign > 0 || cells[from + VARIANCE] === 0 ? cells[from + UNSEEN] : Number.POSITIVE_INFINITY;
  }
}

/** Adds each group of `source` to the same one of `target`. */
export function addAll(target: Sums, source: Sums): void {
  for (let i = 0; i < target.length; i++) target[i] += source[i];
}

/** Sums of all groups of `sums` into one group each: `groupOf[g]` is the new group of group g. */
export function regroup(sums: Sums, groupOf: Int32Array, groups: number): Sums {
  const result: Sums = new Float64Array(groups * WIDTH);
  for (let g = 0; g < groupOf.length; g++) {
    if (sums[g * WIDTH + ROWS] > 0) addSums(result, groupOf[g], sums, g);
  }
  return result;
}

/** Adds group `from` of `source` to group `to` of `target`. */
export function addSums(target: Sums, to: number, source: Sums, from: number): void {
  const a = to * WIDTH;
  const b = from * WIDTH;
  target[a] += source[b];
  target[a + COUNT] += source[b + COUNT];
  target[a + VARIANCE] += source[b + VARIANCE];
  target[a + ROWS] += source[b + ROWS];
  target[a + UNSEEN] += source[b + UNSEEN];
}

/** The one group that all groups make together. */
export function totalOf(sums: Sums): Sums {
  const total: Sums = new Float64Array(WIDTH);
  for (let at = 0; at < sums.length; at += WIDTH) addSums(total, 0, sums, at / WIDTH);
  return total;
}
