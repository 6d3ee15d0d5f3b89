import { TraceError } from '../trace/errors.ts';
import { HEAPS, KINDS } from '../trace/kinds.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { Metric, View } from '../trace/view.ts';
import { type Match, matchRows } from './match.ts';
import { functionSpellings, processSpellings, threadSpellings } from './names.ts';

/** The allocations a view selects: rows [first, end) with a factor each. */
export interface Selection {
  readonly first: number;
  readonly end: number;
  /** Factor of row i at i − first: 1 counted, 0 not, −1 subtracted (only `net`); undefined: every row counts. */
  readonly factor: Int8Array | undefined;
  readonly warnings: readonly string[];
}

/**
 * One pass per filter that is set, each over the rows of the time range only.
 * @throws TraceError when the metric needs release times and the trace has none.
 */
export function select(trace: Trace, view: View): Selection {
  const { allocations } = trace;
  const { first, end } = rowRange(trace, view);
  const filters: { column: ArrayLike<number>; mask: Uint8Array }[] = [];
  const warnings: string[] = [];

  if (view.kinds.length > 0) {
    filters.push({ column: allocations.kind, mask: slots(KINDS.map((kind) => view.kinds.includes(kind))) });
  }
  if (view.heaps.length > 0) {
    filters.push({ column: allocations.heap, mask: slots(HEAPS.map((heap) => view.heaps.includes(heap))) });
  }
  if (view.types.length > 0) {
    const match = matchRows(trace.types.length, (row) => [trace.types.name[row]], view.types, 'types');
    warnings.push(...match.warnings);
    filters.push({ column: allocations.type, mask: slots(match.mask) });
  }
  if (view.threads.length > 0 || view.processes.length > 0) {
    filters.push({ column: allocations.thread, mask: slots(threadMask(trace, view, warnings)) });
  }
  if (view.functions.length > 0 || view.modules.length > 0) {
    filters.push({ column: allocations.stack, mask: stackMask(trace, view, warnings) });
  }

  let factor = metricFactor(trace, view, first, end);
  for (const { column, mask } of filters) {
    factor ??= new Int8Array(end - first).fill(1);
    applyMask(factor, column, mask, first);
  }
  return { first, end, factor, warnings };
}

/** 1 per process that the view's `processes` select. */
export function processMask(trace: Trace, view: View): Match {
  return matchRows(trace.processes.length, processSpellings(trace), view.processes, 'processes');
}

/** Rows that can matter to the metric, from the time order of the table. */
function rowRange(trace: Trace, view: View): { first: number; end: number } {
  const { time } = trace.allocations;
  const reachesBack = view.metric === 'live' || view.metric === 'net';
  const first = reachesBack ? 0 : firstAtOrAfter(time, view.from);
  return { first, end: Math.max(first, firstAfter(time, view.to)) };
}

/** First row of an ascending column of times that is not before `moment`. */
export function firstAtOrAfter(time: Float64Array, moment: number): number {
  return partition(time, (t) => t < moment);
}

function firstAfter(time: Float64Array, moment: number): number {
  return partition(time, (t) => t <= moment);
}

/** First index for which `before` is false, in a column where it is true up to some row. */
function partition(time: Float64Array, before: (t: number) => boolean): number {
  let low = 0;
  let high = time.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(time[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

function metricFactor(trace: Trace, view: View, first: number, end: number): Int8Array | undefined {
  if (view.metric === 'allocated') return undefined;
  const { time, released } = trace.allocations;
  if (released === undefined) throw new TraceError(noReleases(view.metric));
  const { from } = view;
  // Infinity means alive: keep it above every `to`.
  const to = Math.min(view.to, Number.MAX_VALUE);
  const factor = new Int8Array(end - first);
  for (let i = first; i < end; i++) {
    const alive = released[i] > to;
    const allocatedInRange = time[i] >= from;
    switch (view.metric) {
      case 'unreleased':
      case 'live':
        factor[i - first] = alive ? 1 : 0;
        break;
      case 'temporary':
        factor[i - first] = alive ? 0 : 1;
        break;
      case 'net':
        factor[i - first] = (allocatedInRange ? 1 : 0) - (!alive && released[i] >= from ? 1 : 0);
        break;
    }
  }
  return factor;
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

function applyMask(factor: Int8Array, column: ArrayLike<number>, mask: Uint8Array, first: number): void {
  for (let i = 0; i < factor.length; i++) {
    if (mask[column[first + i] + 1] === 0) factor[i] = 0;
  }
}
