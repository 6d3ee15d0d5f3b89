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
  const { table, first, end, sign, subtractBefore, counted, mask } = part;
  const error: ErrorOf = counted ? {} : { unit, unknown: threadsWithoutError(trace) };
  const known = isWhole(part) ? sumsOfCombinations(table, error) : undefined;
  if (known !== undefined) {
    addCombinations(sums, table.combinations[by], known, sign, mask);
  } else {
    const added = Math.max(first, Math.min(end, firstAtOrAfter(table.time, subtractBefore)));
    addRows(sums, table[by], part, error, -1, first, added);
    addRows(sums, table[by], part, error, sign, added, end);
  }
}

/** True when every row counts, in one way. */
function isWhole({ table, first, end, counts, subtractBefore }: SelectedPart): boolean {
  return first === 0 && end === table.length && counts === undefined && subtractBefore === Number.NEGATIVE_INFINITY;
}

/** Sums per combination are kept where there are so many rows to each of them: else rows are as fast, and take no memory. */
const ROWS_PER_COMBINATION = 4;

/** What the variance is of: none for what was counted; not known of threads that `unknown` marks. */
interface ErrorOf {
  readonly unit?: Unit;
  readonly unknown?: Uint8Array | undefined;
}

const kept = new WeakMap<IndexedAllocations, Map<ErrorOf['unit'], Sums>>();

/** Sums of all rows by combination, computed once per table; undefined where the combinations are hardly fewer than rows. */
function sumsOfCombinations(table: IndexedAllocations, error: ErrorOf): Sums | undefined {
  const { length } = table.combinations;
  if (table.length < length * ROWS_PER_COMBINATION) return undefined;
  const known = kept.get(table) ?? new Map<ErrorOf['unit'], Sums>();
  kept.set(table, known);
  let sums = known.get(error.unit);
  if (sums === undefined) {
    sums = new Float64Array(length * WIDTH);
    const groups = table.combination.map((one) => one - 1);
    addRows(sums, groups, { table, mask: undefined }, error, 1, 0, table.length);
    known.set(error.unit, sums);
  }
  return sums;
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
  { table, counts, mask }: Pick<SelectedPart, 'table' | 'counts' | 'mask'>,
  { unit, unknown }: ErrorOf,
  sign: 1 | -1,
  start: number,
  end: number,
): void {
  const { combination, bytes, count, thread } = table;
  for (let row = start; row < end; row++) {
    if (mask !== undefined && mask[combination[row]] === 0) continue;
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

/** Adds the selected combinations with the sums `known` of each. */
function addCombinations(
  sums: Sums,
  column: Int32Array | Uint8Array,
  known: Sums,
  sign: 1 | -1,
  mask: Uint8Array | undefined,
): void {
  for (let one = 0; one < column.length; one++) {
    if (mask !== undefined && mask[one] === 0) continue;
    const at = (column[one] + 1) * WIDTH;
    const from = one * WIDTH;
    sums[at] += sign * known[from];
    sums[at + COUNT] += sign * known[from + COUNT];
    sums[at + VARIANCE] += known[from + VARIANCE];
    sums[at + ROWS] += known[from + ROWS];
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
