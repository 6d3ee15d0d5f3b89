import { GENERATIONS, type Generation, type Heap, kindIndex } from '../trace/kinds.ts';
import { NONE, type ProcessIndex, type Trace } from '../trace/tables.ts';
import { DEFAULT_VIEW, type Dimension, type View } from '../trace/view.ts';
import { blindSpotsOf, blindTexts } from './blind.ts';
import { derived } from './derived.ts';
import { DOMINANT, functionsOf } from './folded.ts';
import { type GcRow, heap } from './heap.ts';
import { processName } from './names.ts';
import { type NativeFinding, nativeFindings, type PeakFinding, peakFindings } from './native-findings.ts';
import { defaultMetric } from './parts.ts';
import type { Accuracy, Answer, Row, Total } from './rows.ts';
import { processMask } from './selection.ts';
import { boundsOf } from './timeline.ts';
import { top } from './top.ts';

/** One statement of the report: its figures, and the view that shows them again. */
export type Finding =
  | ResidentFinding
  | UnrecordedFinding
  | AllocatedFinding
  | ShareFinding
  | HeapFinding
  | NativeFinding
  | PeakFinding;

/** The resident set of one process over the view's time. Measured by the operating system. */
export interface ResidentFinding {
  readonly about: 'resident';
  readonly process: string;
  /** Bytes first, highest and last, and the times, ns. */
  readonly first: number;
  readonly peak: number;
  readonly last: number;
  readonly from: number;
  readonly peakAt: number;
  readonly to: number;
  readonly view: View;
}

/** Memory of any kind that was not recorded, or not wholly, and why. */
interface UnrecordedFinding {
  readonly about: 'unrecorded';
  readonly text: string;
  readonly view: View;
}

/** How much was allocated altogether. */
export interface AllocatedFinding {
  readonly about: 'allocated';
  readonly total: Total;
  readonly accuracy: Accuracy;
  /** Bytes per second over the time the allocations took. */
  readonly rate: number;
  readonly view: View;
}

/** The largest rows of one dimension of `view`. */
export interface ShareFinding {
  readonly about: 'share';
  readonly dimension: Dimension;
  readonly rows: readonly Row[];
  /** True when the first row holds more than half. */
  readonly dominant: boolean;
  readonly accuracy: Accuracy;
  readonly view: View;
}

/** The GC heap after the last collection, against the resident set nearest in time. */
export interface HeapFinding {
  readonly about: 'heap';
  readonly gcNumber: number;
  readonly process: string;
  readonly gcCount: number;
  /** False where not all is known of later ones. */
  readonly isLast: boolean;
  readonly end: number;
  readonly inUse: number | null;
  readonly free: number | null;
  readonly committed: number | null;
  /** Largest generation and its bytes in use. */
  readonly generation: Generation;
  readonly generationInUse: number | null;
  /** Resident set of the process at that time, null when not measured. */
  readonly resident: number | null;
  /** Bytes allocated in the heap of that generation until the collection, as far as the trace saw it. */
  readonly allocatedBefore: number;
  /** Bytes allocated in any GC heap after the collection, which its figures cannot hold. */
  readonly allocatedAfter: number;
  readonly view: View;
}

export interface ReportAnswer extends Answer {
  readonly findings: readonly Finding[];
  /** The function to look at first, where one stands out. */
  readonly culprit?: string;
}

/** Mapped memory that is less than this part of the largest kind is left to the other questions: every runtime maps some. */
const MAPPED_SHARE = 0.1;

/**
 * The views a report speaks of: each kind of memory by what is asked of it first, the largest first, unless the user asked
 * for a metric or for kinds.
 */
export function reportViews(trace: Trace, asked: View, isMetricGiven: boolean): View[] {
  if (isMetricGiven || asked.kinds.length > 0) return [asked];
  const { kindsPresent } = derived(trace);
  const found = (['gc-heap', 'native-heap', 'mapped'] as const)
    .filter((kind) => kindsPresent[kindIndex(kind)] === 1)
    .map((kind): View => ({ ...asked, kinds: [kind], metric: defaultMetric(trace, { ...asked, kinds: [kind] }) }))
    .map((view) => ({ view, bytes: top(trace, view, 'kind', 1).total.bytes }))
    .sort((a, b) => b.bytes - a.bytes);
  const shown = found.filter(({ view, bytes }) => view.kinds[0] !== 'mapped' || bytes > found[0].bytes * MAPPED_SHARE);
  return shown.length === 0 ? [asked] : shown.map(({ view }) => view);
}

const STEPS: readonly Dimension[] = ['process', 'kind', 'heap', 'type', 'thread', 'function', 'line'];
const ROWS_PER_STEP = 3;

/**
 * What grew and who did it, by process, kind, heap, type, thread, function and line: the figures and shares of each are of
 * the whole view. System code is folded into the user's functions, but where most has none of these it is shown as it is.
 * `rows` are those of the functions, `limit` and "other".
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function report(trace: Trace, asked: View, limit = Number.POSITIVE_INFINITY): ReportAnswer {
  const { view, answer: all } = functionsOf(trace, asked, limit);
  const native = nativeFindings(trace, view);
  const findings: Finding[] = [
    ...residentFindings(trace, view),
    ...unrecordedFindings(trace, view),
    // That nothing is left of what was held is an answer to who never released it.
    ...(all.nothing === undefined || view.metric === 'unreleased' ? native : []),
    ...peakFindings(trace, view, native),
  ];
  if (all.nothing !== undefined) {
    findings.push(...heapFindings(trace, view));
    return { ...all, findings };
  }
  findings.push({
    about: 'allocated',
    total: all.total,
    accuracy: all.accuracy,
    rate: rateOf(trace, view, all.total),
    view,
  });
  const steps = sharesOf(trace, view);
  findings.push(...steps, ...heapFindings(trace, view));
  const culprit = steps.find(({ dimension }) => dimension === 'function')?.rows;
  return { ...all, findings, ...(culprit && standsOut(culprit) && { culprit: culprit[0].name }) };
}

function sharesOf(trace: Trace, view: View): ShareFinding[] {
  const steps: ShareFinding[] = [];
  for (const dimension of STEPS) {
    if (dimension === 'process' && trace.processes.length < 2) continue;
    if (dimension === 'kind' && view.kinds.length === 1) continue;
    const { rows, accuracy } = top(trace, view, dimension, ROWS_PER_STEP);
    // Of what was allocated and released again, a sum over all of a dimension can be nothing.
    if (rows.length === 0 || (dimension === 'process' && rows.length < 2)) continue;
    // The innermost line that is known can belong to a caller far out, where the system's code has no lines.
    const first = steps.find((step) => step.dimension === 'function')?.rows[0].name;
    if (dimension === 'line' && !view.hideSystem && rows[0].function !== first) continue;
    if (dimension === 'line' && !rows.some(isNamed)) continue;
    // Only the GC heap is made of heaps and knows types.
    if ((dimension === 'heap' || dimension === 'type') && !holdsObjects(rows)) continue;
    steps.push({ about: 'share', dimension, rows, dominant: rows[0].share > DOMINANT, accuracy, view });
  }
  return steps;
}

/** Whether the first row holds more than half, or a good part that is twice what the next one holds. */
function standsOut([first, next]: readonly Row[]): boolean {
  const share = next === undefined || next.other ? 0 : next.share;
  return isNamed(first) && (first.share > DOMINANT || first.share > Math.max(DOMINANT / 2, 2 * share));
}

/** False where no row has a heap or a type. */
function holdsObjects(rows: readonly Row[]): boolean {
  return rows.some((row) => row.name !== 'none' && row.name !== '[no type]');
}

/** False for rows that stand for what has no name: "[no stack]", "other". */
function isNamed(row: Row): boolean {
  return row.other !== true && !row.name.startsWith('[');
}

function rateOf(trace: Trace, view: View, { bytes }: Total): number {
  const { from, to } = boundsOf(trace, view);
  return to > from ? bytes / ((to - from) / 1e9) : 0;
}

function residentFindings(trace: Trace, view: View): ResidentFinding[] {
  const { mask } = processMask(trace, view);
  return trace.series
    .filter((series) => series.name === 'rss' && mask[series.process] === 1)
    .flatMap(({ process, time, value }): ResidentFinding[] => {
      const points = Array.from(time, (_, i) => i).filter((i) => time[i] >= view.from && time[i] <= view.to);
      if (points.length === 0) return [];
      const first = points[0];
      const last = points[points.length - 1];
      const peak = points.reduce((best, i) => (value[i] > value[best] ? i : best), first);
      return [
        {
          about: 'resident',
          process: processName(trace, process),
          first: value[first],
          peak: value[peak],
          last: value[last],
          from: time[first],
          peakAt: time[peak],
          to: time[last],
          view: { ...view, processes: [processName(trace, process)] },
        },
      ];
    })
    .sort((a, b) => b.peak - a.peak);
}

/** Whatever kinds the view has: that there is more than what is spoken of must be known. */
function unrecordedFindings(trace: Trace, view: View): UnrecordedFinding[] {
  const all: View = { ...view, kinds: [], heaps: [], types: [] };
  const spots = blindSpotsOf(trace, all, processMask(trace, view).mask).filter(({ effect }) => effect !== 'note');
  return blindTexts(trace, spots).map((text) => ({ about: 'unrecorded', text, view: all }));
}

function heapFindings(trace: Trace, view: View): HeapFinding[] {
  const { mask } = processMask(trace, view);
  if (view.kinds.length > 0 && !view.kinds.includes('gc-heap')) return [];
  const findings: HeapFinding[] = [];
  for (let process = 0; process < trace.processes.length; process++) {
    if (mask[process] === 0) continue;
    const own: View = {
      ...DEFAULT_VIEW,
      processes: [processName(trace, process)],
      kinds: ['gc-heap'],
      from: view.from,
      to: view.to,
    };
    const answer = heap(trace, own, GENERATIONS.length);
    const veryLast = answer.gcs.at(-1);
    if (veryLast === undefined) continue;
    // Of a background collection in which another one took place not all is known.
    const isWhole = (gc: GcRow) => gc.inUse !== null;
    const last = isWhole(veryLast) ? veryLast : (heap(trace, own).gcs.findLast(isWhole) ?? veryLast);
    const largest = last.generations.reduce((best, row) => ((row.inUse ?? 0) > (best.inUse ?? 0) ? row : best));
    findings.push({
      about: 'heap',
      gcNumber: last.number,
      process: processName(trace, process),
      gcCount: answer.gcCount,
      isLast: last === veryLast,
      end: last.end,
      inUse: last.inUse,
      free: last.free,
      committed: last.committed,
      generation: largest.name,
      generationInUse: largest.inUse,
      resident: residentAt(trace, process, last.end),
      allocatedBefore: top(trace, { ...own, heaps: [heapOf(largest.name)], from: 0, to: last.end }, 'kind').total.bytes,
      allocatedAfter: top(trace, { ...own, from: last.end }, 'kind').total.bytes,
      view: own,
    });
  }
  return findings.sort((a, b) => (b.inUse ?? 0) - (a.inUse ?? 0));
}

function heapOf(generation: Generation): Heap {
  return generation === 'loh' || generation === 'poh' ? generation : 'soh';
}

/** The last value measured up to `moment`, else the first after it. */
function residentAt(trace: Trace, process: ProcessIndex, moment: number): number | null {
  const series = trace.series.find((one) => one.name === 'rss' && one.process === process);
  if (series === undefined || series.time.length === 0) return null;
  let at = NONE;
  for (let i = 0; i < series.time.length && series.time[i] <= moment; i++) at = i;
  return series.value[Math.max(0, at)];
}
