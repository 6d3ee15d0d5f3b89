import { GENERATIONS, KINDS, type Kind, kindIndex } from '../trace/kinds.ts';
import type { GcIndex, ProcessIndex, Series, Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { answer, figureOf, figuresOf } from './answer.ts';
import { lastMoment } from './moments.ts';
import { firstAtOrAfter } from './parts.ts';
import type { Answer, Row } from './rows.ts';
import { processMask, type SelectedPart, type Selection, select } from './selection.ts';
import { sumRowsBy } from './sum-by.ts';
import { type Column, ROWS, type Sums, totalOf, WIDTH } from './sums.ts';
import { hasCountersOnly } from './untold.ts';

/** One stretch of time [from, to), ns since the start of the recording; the last one holds its end too. */
export interface TimelineRow extends Row {
  readonly from: number;
  readonly to: number;
  /** Highest value of the stretch, summed over the processes; null where nothing was measured yet. */
  readonly rss: number | null;
  readonly gcCommitted: number | null;
  readonly gcSize: number | null;
  /** The figure of each kind of memory, in the unit asked for; kinds without one are left out. */
  readonly kinds: Partial<Record<Kind, number>>;
  /** Native heap: requested and not released. */
  readonly nativeLive: number | null;
  /** Garbage collections that ended in it, the highest generation among them (null: none), and the time they paused. */
  readonly gcs: number;
  readonly gcDepth: number | null;
  readonly gcPause: number;
}

/**
 * The view's time range in `buckets` stretches of equal length: the allocations the view selects by the time they were
 * made, and what the processes measured. All filters apply to the allocations, `processes` also to the rest.
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function timeline(trace: Trace, view: View, buckets: number): Answer<TimelineRow> {
  const selection = select(trace, view);
  const bounds = boundsOf(trace, view);
  const processes = processMask(trace, view).mask;
  const sums: Sums = new Float64Array(buckets * WIDTH);
  const kinds: TimelineRow['kinds'][] = [];
  sumOverTime(trace, view, selection, buckets, 'kind', KINDS.length, (bucket, ofKinds) => {
    sums.set(totalOf(ofKinds), bucket * WIDTH);
    kinds.push(figuresByKind(ofKinds, view));
  });
  const total = totalOf(sums);
  const committed = gcSeries(trace, (gc) => trace.gcs.committed[gc]);
  const size = gcSeries(trace, (gc) => sizeAfter(trace, gc));
  const series = {
    rss: bucketSeries(trace, processes, seriesOf(trace, 'rss'), bounds, buckets),
    gcCommitted: bucketSeries(trace, processes, committed, bounds, buckets),
    gcSize: bucketSeries(trace, processes, size, bounds, buckets),
    nativeLive: bucketSeries(trace, processes, seriesOf(trace, 'native-live'), bounds, buckets),
  };
  const gcs = bucketGcs(trace, processes, bounds, buckets);
  const width = (bounds.to - bounds.from) / buckets;
  const rows = Array.from({ length: buckets }, (_, bucket): TimelineRow => {
    const from = bounds.from + bucket * width;
    return {
      name: `${(from / 1e9).toFixed(3)}s`,
      ...figuresOf(sums, bucket, total, view.unit),
      from,
      to: bucket === buckets - 1 ? bounds.to : from + width,
      kinds: kinds[bucket],
      rss: series.rss[bucket],
      gcCommitted: series.gcCommitted[bucket],
      gcSize: series.gcSize[bucket],
      nativeLive: series.nativeLive[bucket],
      ...gcs[bucket],
    };
  });
  return answer(trace, view, total, rows, selection.warnings);
}

function figuresByKind(sums: Sums, { unit }: View): TimelineRow['kinds'] {
  const present = KINDS.filter((_, kind) => sums[(kind + 1) * WIDTH + ROWS] > 0);
  return Object.fromEntries(present.map((kind) => [kind, figureOf(sums, kindIndex(kind) + 1, unit)]));
}

interface Bounds {
  readonly from: number;
  readonly to: number;
}

/** The range shown: the view's, cut to the recording; `live`, and `net` of blocks, reach back to what was allocated before. */
export function boundsOf(trace: Trace, view: View): Bounds {
  // Counters know what was released in the range, events what of the blocks from before it was.
  const isOfBlocks = view.metric === 'net' && !hasCountersOnly(trace, view);
  const reachesBack = view.metric === 'live' || isOfBlocks || view.metric === 'peak';
  const last = lastMoment(trace);
  const from = Math.max(0, Math.min(reachesBack ? 0 : view.from, last));
  return { from, to: Math.max(from, Math.min(view.to, last)) };
}

function bucketOf(moment: number, { from, to }: Bounds, buckets: number): number {
  if (to === from) return 0;
  return Math.max(0, Math.min(buckets - 1, Math.floor(((moment - from) / (to - from)) * buckets)));
}

/**
 * Calls `visit` with the sums of each of `buckets` stretches by the values of `column`, see {@link sumRowsBy}. Allocations are
 * in time order, so a bucket is a range of rows of each part and is summed as such.
 */
export function sumOverTime(
  trace: Trace,
  view: View,
  selection: Selection,
  buckets: number,
  column: Column,
  values: number,
  visit: (bucket: number, sums: Sums) => void,
): void {
  const bounds = boundsOf(trace, view);
  let rest = selection.parts;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const until = bounds.from + ((bucket + 1) * (bounds.to - bounds.from)) / buckets;
    const ends = rest.map((part) => (bucket === buckets - 1 ? part.end : endBefore(part, until)));
    const parts = rest.map((part, i) => ({ ...part, end: ends[i] }));
    visit(bucket, sumRowsBy(trace, { ...selection, parts }, view.unit, column, values));
    rest = rest.map((part, i) => ({ ...part, first: ends[i] }));
  }
}

function endBefore({ table, first, end }: SelectedPart, moment: number): number {
  return Math.max(first, Math.min(end, firstAtOrAfter(table.time, moment)));
}

/** A quantity of a process over time. */
type Measured = Pick<Series, 'process'> & Readonly<Record<'time' | 'value', ArrayLike<number>>>;

function seriesOf(trace: Trace, name: Series['name']): readonly Measured[] {
  return trace.series.filter((series) => series.name === name);
}

/** All bytes of the GC heap after a collection; NaN where the trace does not say. */
function sizeAfter({ gcs }: Trace, gc: GcIndex): number {
  let bytes = 0;
  for (let i = gc * GENERATIONS.length; i < (gc + 1) * GENERATIONS.length; i++) bytes += gcs.size[i];
  return bytes;
}

/** A series for each process, of what its collections report; NaN where one does not. */
function gcSeries(trace: Trace, valueOfGc: (gc: GcIndex) => number): Measured[] {
  const points = new Map<ProcessIndex, { time: number[]; value: number[] }>();
  for (let gc = 0; gc < trace.gcs.length; gc++) {
    const value = valueOfGc(gc);
    if (Number.isNaN(trace.gcs.end[gc])) continue;
    const process = trace.gcs.process[gc];
    const series = points.get(process) ?? { time: [], value: [] };
    points.set(process, series);
    series.time.push(trace.gcs.end[gc]);
    series.value.push(value);
  }
  return [...points].map(([process, { time, value }]) => ({ process, time, value }));
}

/**
 * Highest value per bucket of each series, held until the next one, which may be that it is not known (NaN), or the end of
 * its process; summed over processes.
 */
function bucketSeries(
  trace: Trace,
  processes: Uint8Array,
  all: readonly Measured[],
  bounds: Bounds,
  buckets: number,
): (number | null)[] {
  const result: (number | null)[] = new Array(buckets).fill(null);
  const width = (bounds.to - bounds.from) / buckets;
  for (const { process, time, value } of all) {
    if (processes[process] === 0) continue;
    let held = Number.NaN;
    let i = 0;
    for (; i < time.length && time[i] < bounds.from; i++) held = value[i];
    for (let bucket = 0; bucket < buckets; bucket++) {
      const ended = trace.processes.end[process] <= bounds.from + bucket * width;
      let highest = ended ? Number.NaN : held;
      let measured = false;
      for (; i < time.length && time[i] <= bounds.to && bucketOf(time[i], bounds, buckets) <= bucket; i++) {
        held = value[i];
        if (Number.isNaN(held)) continue;
        highest = measured ? Math.max(highest, held) : held;
        measured = true;
      }
      if (!Number.isNaN(highest)) result[bucket] = (result[bucket] ?? 0) + highest;
    }
  }
  return result;
}

type GcMarks = Pick<TimelineRow, 'gcs' | 'gcDepth' | 'gcPause'>;

function bucketGcs(trace: Trace, processes: Uint8Array, bounds: Bounds, buckets: number): GcMarks[] {
  const marks = Array.from({ length: buckets }, () => ({ gcs: 0, gcDepth: null as number | null, gcPause: 0 }));
  const { gcs } = trace;
  for (let gc = 0; gc < gcs.length; gc++) {
    const end = gcs.end[gc];
    if (processes[gcs.process[gc]] === 0 || !(end >= bounds.from && end <= bounds.to)) continue;
    const mark = marks[bucketOf(end, bounds, buckets)];
    mark.gcs++;
    mark.gcDepth = Math.max(mark.gcDepth ?? 0, gcs.depth[gc]);
    mark.gcPause += gcs.pause[gc];
  }
  return marks;
}
