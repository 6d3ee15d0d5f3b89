import type { IndexedAllocations, Trace } from '../trace/tables.ts';
import type { Unit } from '../trace/view.ts';
import { firstAtOrAfter } from './parts.ts';
import type { SelectedPart, Selection } from './selection.ts';

/**
 * Sums per group: {@link WIDTH} numbers each, side by side so that one row of allocations touches one cache line:
 * bytes, objects, variance of the unit asked for (NaN when its error is not known), rows.
 */
export type Sums = Float64Array;

export const WIDTH = 4;
export const BYTES = 0;
export const COUNT = 1;
export const VARIANCE = 2;
export const ROWS = 3;

/** What allocations can be summed by: a column of their combinations, whose values are rows of another table. */
export type GroupingColumn = 'kind' | 'heap' | 'type' | 'thread' | 'stack';

/**
 * Sums the selected allocations by the value of `column`: value v is group v + 1, so that NONE is group 0.
 * `values` is the number of values without NONE.
 */
export function sumBy(trace: Trace, selection: Selection, unit: Unit, column: GroupingColumn, values: number): Sums {
  const sums: Sums = new Float64Array((values + 1) * WIDTH);
  for (const part of selection.parts) addPart(sums, trace, part, unit, column);
  if (selection.parts.some((part) => part.sign < 0)) forgetCancelled(sums);
  return sums;
}

function addPart(sums: Sums, trace: Trace, part: SelectedPart, unit: Unit, by: GroupingColumn): void {
  const { table, first, end, sign, counts, subtractBefore, counted } = part;
  const error: ErrorOf = counted ? {} : { unit, unknown: threadsWithoutError(trace) };
  const threads = by === 'thread' || part.threadMask !== undefined ? trace.threads.length + 1 : 1;
  const added = Math.max(first, Math.min(end, firstAtOrAfter(table.time, subtractBefore)));
  addRows(sums, table[by], part, error, -1, first, added);
  let row = added;
  for (const block of counts === undefined ? blocksWithin(table, threads, added, end) : []) {
    addRows(sums, table[by], part, error, sign, row, block.first);
    const column = by === 'thread' ? undefined : table.combinations[by];
    addCells(sums, column, cellsOf(table, threads, error, block), threads, part);
    row = block.end;
  }
  addRows(sums, table[by], part, error, sign, row, end);
}

/** Rows [first, end) of a table. */
interface Block {
  readonly first: number;
  readonly end: number;
}

/** Sums are kept where there are so many rows to each of them: else rows are about as fast, and take no memory. */
const ROWS_PER_CELL = 4;
const MOST_BLOCKS = 16;

/** The blocks inside [first, end) of which sums are kept, by combination and with `threads` > 1 also by thread slot. */
function blocksWithin(
  { length, combinations }: IndexedAllocations,
  threads: number,
  first: number,
  end: number,
): Block[] {
  const cells = combinations.length * threads;
  const count = cells === 0 ? 0 : Math.min(MOST_BLOCKS, Math.floor(length / (cells * ROWS_PER_CELL)));
  if (count === 0) return [];
  if (first === 0 && end === length) return [{ first, end }];
  const size = Math.ceil(length / count);
  const blocks: Block[] = [];
  for (let at = Math.ceil(first / size) * size; at + size <= end; at += size)
    blocks.push({ first: at, end: at + size });
  return blocks;
}

/** What the variance is of: none for what was counted; not known of threads that `unknown` marks. */
interface ErrorOf {
  readonly unit?: Unit;
  readonly unknown?: Uint8Array | undefined;
}

const kept = new WeakMap<IndexedAllocations, Map<string, Sums>>();

/**
 * Sums of a block's rows by combination, or with `threads` > 1 by combination and thread slot in it, as {@link sumBy}
 * numbers groups: that of cell c is c + 1. Computed once.
 */
function cellsOf(table: IndexedAllocations, threads: number, error: ErrorOf, { first, end }: Block): Sums {
  const known = kept.get(table) ?? new Map<string, Sums>();
  kept.set(table, known);
  const key = `${error.unit} ${threads > 1} ${first} ${end}`;
  let sums = known.get(key);
  if (sums === undefined) {
    sums = new Float64Array((table.combinations.length * threads + 1) * WIDTH);
    const cells = threads > 1 ? cellsByThread(table, threads) : table.combination;
    addRows(sums, cells, { table, combinationMask: undefined, threadMask: undefined }, error, 1, first, end);
    known.set(key, sums);
  }
  return sums;
}

/** Per row its cell: the thread slots of a combination are side by side. */
function cellsByThread({ combination, thread }: IndexedAllocations, threads: number): Int32Array {
  const cells = new Int32Array(combination.length);
  for (let row = 0; row < cells.length; row++) cells[row] = combination[row] * threads + thread[row] + 1;
  return cells;
}

/** Groups of which everything was subtracted again hold nothing. The sums of counters are whole numbers, so 0 is exact. */
function forgetCancelled(sums: Sums): void {
  for (let at = 0; at < sums.length; at += WIDTH) {
    if (sums[at] === 0 && sums[at + COUNT] === 0) sums[at + ROWS] = 0;
  }
}

// The loops are functions of their own arguments: variables of an enclosing function would be slower here.

/** Adds the selected rows of [start, end) to the groups of their values in `column`. */
function addRows(
  sums: Sums,
  column: Int32Array | Uint8Array,
  {
    table,
    counts,
    combinationMask,
    threadMask,
  }: Pick<SelectedPart, 'table' | 'counts' | 'combinationMask' | 'threadMask'>,
  { unit, unknown }: ErrorOf,
  sign: 1 | -1,
  start: number,
  end: number,
): void {
  const { combination, bytes, count, thread } = table;
  for (let row = start; row < end; row++) {
    if (combinationMask !== undefined && combinationMask[combination[row]] === 0) continue;
    if (threadMask !== undefined && threadMask[thread[row] + 1] === 0) continue;
    if (counts !== undefined && !counts(row)) continue;
    const at = (column[row] + 1) * WIDTH;
    const b = bytes[row];
    const c = count[row];
    sums[at] += sign * b;
    sums[at + COUNT] += sign * c;
    sums[at + ROWS]++;
    // What is subtracted adds its variance too.
    if (c > 1 && unit !== undefined) sums[at + VARIANCE] += unit === 'bytes' ? (1 - 1 / c) * b * b : c * (c - 1);
    if (unknown !== undefined && unknown[thread[row]] === 1) sums[at + VARIANCE] = Number.NaN;
  }
}

/** Adds the selected {@link cellsOf} to the groups that `column` gives their combinations; without it, to those of their threads. */
function addCells(
  sums: Sums,
  column: Int32Array | Uint8Array | undefined,
  cells: Sums,
  threads: number,
  { table, combinationMask, threadMask, sign }: SelectedPart,
): void {
  for (let one = 0; one < table.combinations.length; one++) {
    if (combinationMask !== undefined && combinationMask[one] === 0) continue;
    for (let slot = 0; slot < threads; slot++) {
      const from = (one * threads + slot + 1) * WIDTH;
      if (cells[from + ROWS] === 0 || (threadMask !== undefined && threadMask[slot] === 0)) continue;
      const at = (column === undefined ? slot : column[one] + 1) * WIDTH;
      sums[at] += sign * cells[from];
      sums[at + COUNT] += sign * cells[from + COUNT];
      sums[at + VARIANCE] += cells[from + VARIANCE];
      sums[at + ROWS] += cells[from + ROWS];
    }
  }
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
}

/** The one group that all groups make together. */
export function totalOf(sums: Sums): Sums {
  const total: Sums = new Float64Array(WIDTH);
  for (let at = 0; at < sums.length; at += WIDTH) addSums(total, 0, sums, at / WIDTH);
  return total;
}

/** 1 per thread of a process whose events do not tell the error; undefined when there is none. */
function threadsWithoutError(trace: Trace): Uint8Array | undefined {
  const { allocationSource } = trace.processes;
  if (!allocationSource.includes('allocation-tick-without-size')) return undefined;
  return Uint8Array.from(trace.threads.process, (process) =>
    allocationSource[process] === 'allocation-tick-without-size' ? 1 : 0,
  );
}
