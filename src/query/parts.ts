import { TraceError } from '../trace/errors.ts';
import { KIND_LABELS, KINDS, type Kind, NATIVE_KINDS } from '../trace/kinds.ts';
import { listed } from '../trace/listed.ts';
import { plural } from '../trace/plural.ts';
import type { IndexedAllocations, Trace } from '../trace/tables.ts';
import type { AskedView, Metric, View } from '../trace/view.ts';
import { derived } from './derived.ts';
import { lastMoment } from './moments.ts';
import { countedKinds, type KindsInRange, tellsNetOnly, untoldOf } from './untold.ts';

/**
 * What a metric adds up. Events know when each block was allocated and released; the counters of exact native recording
 * know sums per stack and stretch of time, so that some of their rows are subtracted.
 */
export interface Part {
  readonly table: IndexedAllocations;
  /** Rows [first, end) of the table, which is in time order. */
  readonly first: number;
  readonly end: number;
  /** Of these, the rows that count; undefined: all. */
  readonly counts?: (row: number) => boolean;
  readonly sign: 1 | -1;
  /** Rows from before this moment are subtracted: what was released in the range of the metric `net`. */
  readonly subtractBefore: number;
  /** The rows are sums and not samples, so that their error is none whatever they stand for. */
  readonly counted: boolean;
}

/**
 * What is asked of native memory first is what was never released, of the GC heap who allocated. Where the range cannot tell
 * what was never released, it is what was allocated minus what was released.
 */
export function defaultMetric(trace: Trace, view: KindsInRange): Metric {
  const asked = view.kinds.length > 0 ? view.kinds : KINDS.filter((_, kind) => derived(trace).kindsPresent[kind] === 1);
  const metric = metricOfKinds(asked);
  return metric === 'unreleased' && tellsNetOnly(trace, view) ? 'net' : metric;
}

/** The View that is meant by `asked`. */
export function viewOf(trace: Trace, asked: AskedView): View {
  return { ...asked, metric: asked.metric ?? defaultMetric(trace, asked) };
}

/** What is asked first of these kinds of memory together. */
export function metricOfKinds(kinds: readonly Kind[]): Metric {
  return kinds.length > 0 && kinds.every((kind) => NATIVE_KINDS.includes(kind)) ? 'unreleased' : 'allocated';
}

/** @throws TraceError when the trace cannot answer the view's metric, with the reason. */
export function partsOf(trace: Trace, view: View): { parts: Part[]; warnings: string[] } {
  const warnings: string[] = [];
  const parts = eventParts(trace, view, warnings);
  const counted = countedKinds(trace, view);
  if (counted.length === 0) return { parts, warnings };
  const untold = untoldOf(trace, view);
  if (untold?.isAll) throw new TraceError(untold.reason);
  if (untold !== undefined) {
    const labels = untold.kinds.map((kind) => KIND_LABELS[kind]);
    warnings.push(`${listed(labels)} ${plural(labels.length, 'is', 'are')} left out: ${untold.reason}`);
  }
  if (untold === undefined || untold.kinds.length < counted.length) parts.push(...countedParts(trace, view));
  return { parts, warnings };
}

function eventParts(trace: Trace, view: View, warnings: string[]): Part[] {
  const table = trace.allocations;
  const { metric } = view;
  const reachesBack = metric === 'live' || metric === 'net' || metric === 'peak';
  const first = reachesBack ? 0 : firstAtOrAfter(table.time, view.from);
  const end = Math.max(first, firstAfter(table.time, view.to));
  const part: Part = {
    table,
    first,
    end,
    sign: 1,
    subtractBefore: metric === 'net' ? view.from : Number.NEGATIVE_INFINITY,
    counted: false,
  };
  if (metric === 'allocated') return [part];
  const { released } = table;
  if (!leaveOutUnreleasable(trace, view, warnings) || released === undefined) return [];
  return [{ ...part, counts: countsByRelease(trace, view, released) }];
}

/**
 * Rows of kinds whose releases were not recorded cannot count: says so where other kinds remain. False when none remain.
 * @throws TraceError when nothing else was asked for.
 */
function leaveOutUnreleasable(trace: Trace, view: View, warnings: string[]): boolean {
  const { kindsPresent, kindsWithoutReleases } = derived(trace);
  const asked = (kind: Kind) => view.kinds.length === 0 || view.kinds.includes(kind);
  const present = KINDS.filter((kind, row) => kindsPresent[row] === 1 && asked(kind));
  const unknown = present.filter((kind) => kindsWithoutReleases[KINDS.indexOf(kind)] === 1);
  if (unknown.length === 0) return true;
  if (unknown.length === present.length) throw new TraceError(noReleases(view.metric));
  const left = unknown.map((kind) => KIND_LABELS[kind]).join(', ');
  warnings.push(`${left} are left out: this trace did not record when they were released`);
  return present.some((kind) => !unknown.includes(kind));
}

function noReleases(metric: Metric): string {
  return (
    `the metric "${metric}" needs to know when memory was released, which this trace did not record; ` +
    'use the metric "allocated", and the GC heap ("memsurge heap") for what was still held'
  );
}

/** Which rows a metric other than `allocated` counts. A release that was not recorded is NaN, and such a row never counts. */
function countsByRelease(trace: Trace, view: View, released: Float64Array): (row: number) => boolean {
  const { time, thread } = trace.allocations;
  const { from, metric } = view;
  // Infinity means alive: keep it above every `to`.
  const to = Math.min(view.to, Number.MAX_VALUE);
  switch (metric) {
    case 'temporary':
      return (row) => released[row] <= to;
    case 'net':
      // What was allocated and released in the range cancels out, and so does what was neither.
      return (row) =>
        time[row] >= from !== (released[row] <= to && released[row] >= from) && !Number.isNaN(released[row]);
    case 'peak': {
      const { peakTimes } = derived(trace);
      return (row) => {
        const at = peakTimes[trace.threads.process[thread[row]]];
        return time[row] <= at && released[row] > at;
      };
    }
    default:
      return (row) => released[row] > to;
  }
}

/** Of a view whose metric the counters tell, see {@link untoldOf}. */
function countedParts(trace: Trace, view: View): Part[] {
  const { allocated, released, unreleased, peak } = trace.native;
  const { from, to, metric } = view;
  const fromStart = from <= 0;
  switch (metric) {
    case 'allocated':
      return [inRange(allocated, from, to, 1)];
    case 'net':
      return [inRange(allocated, from, to, 1), inRange(released, from, to, -1)];
    case 'live':
      return [inRange(allocated, 0, to, 1), inRange(released, 0, to, -1)];
    case 'unreleased':
      if (!fromStart) return [inRange(unreleased, from, to, 1)];
      return [inRange(allocated, 0, to, 1), inRange(released, 0, to, -1)];
    case 'temporary':
      if (fromStart) return [inRange(released, 0, to, 1)];
      return [inRange(allocated, from, to, 1), inRange(unreleased, from, to, -1)];
    case 'peak':
      return [inRange(peak, 0, to, 1)];
  }
}

/**
 * The parts that tell what the view counts of blocks that were looked at, and how much of these was in memory; undefined
 * where that is not known: for what was released since, for earlier moments, and for memory of which nothing was measured.
 */
export function residentParts(trace: Trace, view: View): { measured: Part; resident: Part } | undefined {
  const { measured, resident } = trace.native;
  const isLive = view.metric === 'live' || (view.metric === 'unreleased' && view.from <= 0);
  if (!isLive || measured.length === 0 || view.to < lastMoment(trace)) return undefined;
  return {
    measured: inRange(measured, 0, Number.POSITIVE_INFINITY, 1),
    resident: inRange(resident, 0, Number.POSITIVE_INFINITY, 1),
  };
}

function inRange(table: IndexedAllocations, from: number, to: number, sign: 1 | -1): Part {
  const first = firstAtOrAfter(table.time, from);
  return {
    table,
    first,
    end: Math.max(first, firstAfter(table.time, to)),
    sign,
    subtractBefore: Number.NEGATIVE_INFINITY,
    counted: true,
  };
}

/** First row of an ascending column of times that is not before `moment`. */
export function firstAtOrAfter(time: Float64Array, moment: number): number {
  return partition(time, (t) => t < moment);
}

function firstAfter(time: Float64Array, moment: number): number {
  return partition(time, (t) => t <= moment);
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
