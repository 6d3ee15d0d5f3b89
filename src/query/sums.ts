import type { AllocationTable, Trace } from '../trace/tables.ts';
import type { Unit } from '../trace/view.ts';
import { forEachBlock, type SelectedPart, type Selection } from './selection.ts';

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

/** A column of a table of allocations, whose values are rows of another table. */
export type GroupingColumn = 'kind' | 'heap' | 'type' | 'thread' | 'stack';

/**
 * Sums the selected allocations by the value of `column`: value v is group v + 1, so that NONE is group 0.
 * `values` is the number of values without NONE.
 */
export function sumBy(trace: Trace, selection: Selection, unit: Unit, column: GroupingColumn, values: number): Sums {
  const sums: Sums = new Float64Array((values + 1) * WIDTH);
  for (const part of selection.parts) addPart(sums, trace, part, unit, part.table[column]);
  if (selection.parts.some((part) => part.sign < 0)) forgetCancelled(sums);
  return sums;
}

function addPart(sums: Sums, trace: Trace, part: SelectedPart, unit: Unit, column: Int32Array | Uint8Array): void {
  const { table } = part;
  if (part.counted) {
    forEachBlock(part, (rows, start, length) => addCounted(sums, column, table, part.sign, rows, start, length));
    return;
  }
  const unknown = threadsWithoutError(trace);
  forEachBlock(part, (rows, start, length) => {
    addRows(sums, column, table, unit === 'bytes', rows, start, length);
    if (part.subtractBefore > Number.NEGATIVE_INFINITY) {
      subtractRows(sums, column, table, part.subtractBefore, rows, start, length);
    }
    if (unknown !== undefined) markUnknown(sums, column, table, unknown, rows, start, length);
  });
}

/** Groups of which everything was subtracted again hold nothing. The sums of counters are whole numbers, so 0 is exact. */
function forgetCancelled(sums: Sums): void {
  for (let at = 0; at < sums.length; at += WIDTH) {
    if (sums[at] === 0 && sums[at + COUNT] === 0) sums[at + ROWS] = 0;
  }
}

// The loops over rows are functions of their own arguments: variables of an enclosing function would be slower here.

function addRows(
  sums: Sums,
  column: Int32Array | Uint8Array,
  { bytes, count }: AllocationTable,
  ofBytes: boolean,
  rows: Uint32Array | undefined,
  start: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    const row = rows === undefined ? start + k : rows[k];
    const at = (column[row] + 1) * WIDTH;
    const b = bytes[row];
    const c = count[row];
    sums[at] += b;
    sums[at + COUNT] += c;
    if (c > 1) sums[at + VARIANCE] += ofBytes ? (1 - 1 / c) * b * b : c * (c - 1);
    sums[at + ROWS]++;
  }
}

/** Rows that are sums of what was counted have no variance, however many objects they stand for. */
function addCounted(
  sums: Sums,
  column: Int32Array | Uint8Array,
  { bytes, count }: AllocationTable,
  sign: 1 | -1,
  rows: Uint32Array | undefined,
  start: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    const row = rows === undefined ? start + k : rows[k];
    const at = (column[row] + 1) * WIDTH;
    sums[at] += sign * bytes[row];
    sums[at + COUNT] += sign * count[row];
    sums[at + ROWS]++;
  }
}

/** Turns the rows from before `moment`, which were added, into subtracted ones; their variance stays added. */
function subtractRows(
  sums: Sums,
  column: Int32Array | Uint8Array,
  { bytes, count, time }: AllocationTable,
  moment: number,
  rows: Uint32Array | undefined,
  start: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    const row = rows === undefined ? start + k : rows[k];
    if (time[row] >= moment) return;
    const at = (column[row] + 1) * WIDTH;
    sums[at] -= 2 * bytes[row];
    sums[at + COUNT] -= 2 * count[row];
  }
}

/** Marks the variance of groups that hold rows of a thread whose events do not tell the error. */
function markUnknown(
  sums: Sums,
  column: Int32Array | Uint8Array,
  { thread }: AllocationTable,
  unknown: Uint8Array,
  rows: Uint32Array | undefined,
  start: number,
  length: number,
): void {
  for (let k = 0; k < length; k++) {
    const row = rows === undefined ? start + k : rows[k];
    if (unknown[thread[row]] === 1) sums[(column[row] + 1) * WIDTH + VARIANCE] = Number.NaN;
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
