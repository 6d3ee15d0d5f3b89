import { TraceError } from '../trace/errors.ts';
import { HEAPS, KINDS } from '../trace/kinds.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { Metric, View } from '../trace/view.ts';
import { type Match, matchRows } from './match.ts';
import { functionSpellings, processSpellings, threadSpellings } from './names.ts';

/** The allocations a view selects: rows [first, end) that pass every filter. */
export interface Selection {
  readonly first: number;
  readonly end: number;
  readonly filters: readonly RowFilter[];
  /** Rows from before this moment are subtracted: the metric `net` counts what was released in its range so. */
  readonly subtractBefore: number;
  readonly warnings: readonly string[];
}

/** Keeps the first `length` of `rows` that pass, in place, and returns how many they are. */
type RowFilter = (rows: Uint32Array, length: number) => number;

/** @throws TraceError when the metric needs release times and the trace has none. */
export function select(trace: Trace, view: View): Selection {
  const { allocations } = trace;
  const warnings: string[] = [];
  const filters: RowFilter[] = [];
  const keep = (column: Uint8Array | Int32Array, mask: Uint8Array) => filters.push(maskFilter(column, mask));

  if (view.metric !== 'allocated') filters.push(metricFilter(trace, view));
  if (view.kinds.length > 0) keep(allocations.kind, slots(KINDS.map((kind) => view.kinds.includes(kind))));
  if (view.heaps.length > 0) keep(allocations.heap, slots(HEAPS.map((heap) => view.heaps.includes(heap))));
  if (view.types.length > 0) {
    const match = matchRows(trace.types.length, (row) => [trace.types.name[row]], view.types, 'types');
    warnings.push(...match.warnings);
    keep(allocations.type, slots(match.mask));
  }
  if (view.threads.length > 0 || view.processes.length > 0) {
    keep(allocations.thread, slots(threadMask(trace, view, warnings)));
  }
  if (view.functions.length > 0 || view.modules.length > 0) {
    keep(allocations.stack, stackMask(trace, view, warnings));
  }
  const subtractBefore = view.metric === 'net' ? view.from : Number.NEGATIVE_INFINITY;
  return { ...rowRange(trace, view), filters, subtractBefore, warnings };
}

/** Rows per block: its numbers stay in the processor's cache while the filters narrow them. */
const BLOCK = 1 << 14;

/**
 * Calls `visit` with the selected rows in ascending order, block by block: `rows[0 … length)`, overwritten after the call,
 * or all of [start, start + length) where `rows` is undefined.
 */
export function forEachBlock(
  selection: Selection,
  visit: (rows: Uint32Array | undefined, start: number, length: number) => void,
): void {
  const { first, end, filters } = selection;
  if (filters.length === 0) {
    visit(undefined, first, end - first);
    return;
  }
  const rows = new Uint32Array(BLOCK);
  for (let start = first; start < end; start += BLOCK) {
    let length = Math.min(BLOCK, end - start);
    for (let k = 0; k < length; k++) rows[k] = start + k;
    for (const filter of filters) length = filter(rows, length);
    visit(rows, start, length);
  }
}

/** 1 per process that the view's `processes` select. */
export function processMask(trace: Trace, view: View): Match {
  return matchRows(trace.processes.length, processSpellings(trace), view.processes, 'processes');
}

/** Rows that can matter to the metric, from the time order of the table. */
function rowRange(trace: Trace, view: View): Pick<Selection, 'first' | 'end'> {
  const { time } = trace.allocations;
  const reachesBack = view.metric === 'live' || view.metric === 'net';
  const first = reachesBack ? 0 : firstAtOrAfter(time, view.from);
  return {
    first,
    end: Math.max(
      first,
      partition(time, (t) => t <= view.to),
    ),
  };
}

/** First row of an ascending column of times that is not before `moment`. */
export function firstAtOrAfter(time: Float64Array, moment: number): number {
  return partition(time, (t) => t < moment);
}

/** First index for which `before` is false, in a column where it is true up to some row. */
function partition(column: Float64Array, before: (value: number) => boolean): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(column[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keeps the rows of {@link rowRange} that a metric other than `allocated` counts. */
function metricFilter(trace: Trace, view: View): RowFilter {
  const { time, released } = trace.allocations;
  if (released === undefined) throw new TraceError(noReleases(view.metric));
  const { from, metric } = view;
  // Infinity means alive: keep it above every `to`.
  const to = Math.min(view.to, Number.MAX_VALUE);
  const counts = (i: number): boolean => {
    const gone = released[i] <= to;
    if (metric === 'temporary') return gone;
    // What was allocated and released in the range cancels out, and so does what was neither.
    if (metric === 'net') return time[i] >= from !== (gone && released[i] >= from);
    return !gone;
  };
  return (rows, length) => {
    let kept = 0;
    for (let k = 0; k < length; k++) if (counts(rows[k])) rows[kept++] = rows[k];
    return kept;
  };
}

function noReleases(metric: Metric): string {
  return (
    `the metric "${metric}" needs to know when memory was released, which this trace did not record; ` +
    'use --metric allocated, and "memsurge heap" for what the GC still held'
  );
}

/** A mask with a place for NONE in front: row r is at r + 1, NONE is never selected. */
function slots(mask: ArrayLike<number | boolean>): Uint8Array {
  const result = new Uint8Array(mask.length + 1);
  for (let i = 0; i < mask.length; i++) result[i + 1] = mask[i] ? 1 : 0;
  return result;
}

function threadMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const threads = matchRows(trace.threads.length, threadSpellings(trace), view.threads, 'threads');
  const processes = processMask(trace, view);
  warnings.push(...threads.warnings, ...processes.warnings);
  return threads.mask.map((selected, thread) => selected & (processes.mask[trace.threads.process[thread]] ?? 0));
}

/** Per stack slot: 1 when the stack holds one of the functions and one of the modules, wherever each filter is set. */
function stackMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const { stacks, frames, functions } = trace;
  const byFunction = matchRows(functions.length, functionSpellings(trace), view.functions, 'functions');
  const byModule = matchRows(trace.modules.length, (row) => [trace.modules.name[row]], view.modules, 'modules');
  warnings.push(...byFunction.warnings, ...byModule.warnings);
  const FUNCTION = 1;
  const MODULE = 2;
  const none = (view.functions.length === 0 ? FUNCTION : 0) | (view.modules.length === 0 ? MODULE : 0);
  const found = new Uint8Array(stacks.length + 1).fill(none);
  for (let stack = 0; stack < stacks.length; stack++) {
    const fn = frames.function[stacks.frame[stack]];
    const module = functions.module[fn];
    const here = (byFunction.mask[fn] ? FUNCTION : 0) | (module !== NONE && byModule.mask[module] ? MODULE : 0);
    found[stack + 1] |= found[stacks.prefix[stack] + 1] | here;
  }
  const mask = found.map((bits) => (bits === (FUNCTION | MODULE) ? 1 : 0));
  mask[0] = 0;
  return mask;
}

/** Keeps the rows whose value in `column` the mask holds, see {@link slots}. */
function maskFilter(column: Uint8Array | Int32Array, mask: Uint8Array): RowFilter {
  return (rows, length) => keepRows(rows, length, column, mask);
}

function keepRows(rows: Uint32Array, length: number, column: Uint8Array | Int32Array, mask: Uint8Array): number {
  let kept = 0;
  for (let k = 0; k < length; k++) {
    const row = rows[k];
    // Without a branch: which rows a mask holds is as good as random to the processor.
    rows[kept] = row;
    kept += mask[column[row] + 1];
  }
  return kept;
}
