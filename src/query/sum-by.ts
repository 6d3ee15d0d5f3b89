import type { Trace } from '../trace/tables.ts';
import type { Unit } from '../trace/view.ts';
import { blocksWithin, cubeByShape, cubeByStack, sumsOfRange } from './cubes.ts';
import { firstAtOrAfter } from './parts.ts';
import { maskOf, type SelectedPart, type Selection } from './selection.ts';
import {
  addCells,
  addRows,
  COUNT,
  type Column,
  type ErrorOf,
  ROWS,
  regroup,
  type Sums,
  VARIANCE,
  WIDTH,
} from './sums.ts';

/**
 * Sums the selected allocations by the value of `column`: value v is group v + 1, so that NONE is group 0.
 * `values` is the number of values without NONE.
 */
export function sumBy(trace: Trace, selection: Selection, unit: Unit, column: Column, values: number): Sums {
  const sums: Sums = new Float64Array((values + 1) * WIDTH);
  for (const part of selection.parts) addPart(sums, trace, part, unit, column);
  forgetCancelled(sums, selection);
  if (selection.isInexact) forgetErrors(sums);
  return sums;
}

/** {@link sumBy} row by row: for ranges so short that sums kept beforehand do not help. */
export function sumRowsBy(trace: Trace, selection: Selection, unit: Unit, column: Column, values: number): Sums {
  const sums: Sums = new Float64Array((values + 1) * WIDTH);
  for (const part of selection.parts) {
    const added = firstAdded(part);
    const error = errorOf(trace, part, unit);
    addRows(sums, part.table[column], part, error, -1, part.first, added);
    addRows(sums, part.table[column], part, error, part.sign, added, part.end);
  }
  forgetCancelled(sums, selection);
  if (selection.isInexact) forgetErrors(sums);
  return sums;
}

/** The selected allocations summed by stack slot (stack + 1, 0 without a stack). */
export function sumByStack(trace: Trace, selection: Selection, unit: Unit): Sums {
  return sumBy(trace, selection, unit, 'stack', trace.stacks.length);
}

/** Sums the selected allocations by what `groupOf` says of their stack slot. */
export function sumByStackGroup(
  trace: Trace,
  selection: Selection,
  unit: Unit,
  groupOf: Int32Array,
  groups: number,
): Sums {
  return regroup(sumByStack(trace, selection, unit), groupOf, groups);
}

/** Groups of which everything was subtracted again hold nothing. The sums of counters are whole numbers, so 0 is exact. */
export function forgetCancelled(sums: Sums, selection: Selection): void {
  if (!hasSubtracted(selection)) return;
  for (let at = 0; at < sums.length; at += WIDTH) {
    if (sums[at] === 0 && sums[at + COUNT] === 0) sums[at + ROWS] = 0;
  }
}

function forgetErrors(sums: Sums): void {
  for (let at = 0; at < sums.length; at += WIDTH) if (sums[at + ROWS] !== 0) sums[at + VARIANCE] = Number.NaN;
}

function hasSubtracted({ parts }: Selection): boolean {
  return parts.some(({ sign }) => sign < 0);
}

/** By sums that are kept where there are such, and else row by row. */
function addPart(sums: Sums, trace: Trace, part: SelectedPart, unit: Unit, by: Column): void {
  const { table, sign, masks, threadMask } = part;
  const error = errorOf(trace, part, unit);
  const addRange = (sign: 1 | -1, start: number, end: number) => {
    if (start < end) addRows(sums, table[by], part, error, sign, start, end);
  };
  let row = firstAdded(part);
  addRange(-1, part.first, row);
  if (part.counts !== undefined) {
    // Whether a row counts, no sum can tell.
  } else if (by !== 'stack' && masks.stack === undefined) {
    const cube = cubeByShape(trace, table);
    const blocks = blocksWithin(cube, table, error, row, part.end);
    const mask = blocks.length === 0 ? undefined : maskOf(cube, masks);
    for (const block of blocks) {
      addRange(sign, row, block.first);
      addCells(sums, cube.columns[by]!, mask, sign, block.sums);
      row = block.end;
    }
  } else if (by !== 'thread') {
    const cube = cubeByStack(table);
    const cells = sumsOfRange(cube, { table, threadMask }, error, row, part.end);
    if (cells !== undefined) {
      addCells(sums, cube.columns[by]!, part.combinationMask, sign, cells);
      row = part.end;
    }
  }
  addRange(sign, row, part.end);
}

/** The rows of a part before this one are subtracted. */
function firstAdded({ table, first, end, subtractBefore }: SelectedPart): number {
  return Math.max(first, Math.min(end, firstAtOrAfter(table.time, subtractBefore)));
}

function errorOf(trace: Trace, { counted }: SelectedPart, unit: Unit): ErrorOf {
  return counted ? {} : { unit, unknown: threadsWithoutError(trace) };
}

/** 1 per thread of a process whose GC heap has no error that is known; undefined when there is none. */
function threadsWithoutError({ processes: { errorUnknown }, threads }: Trace): Uint8Array | undefined {
  if (!errorUnknown.includes(1)) return undefined;
  return Uint8Array.from(threads.process, (process) => errorUnknown[process] ?? 0);
}
