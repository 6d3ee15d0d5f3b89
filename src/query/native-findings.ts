import type { ProcessIndex, Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { nativeBefore } from './before.ts';
import { functionsOf } from './folded.ts';
import { highestResidentAt, lastMoment } from './moments.ts';
import { processName } from './names.ts';
import type { Accuracy, Row, Total } from './rows.ts';
import { processMask } from './selection.ts';
import { top } from './top.ts';

/** The native heap of one process: bytes as the program asked for them, whether it ever wrote to them or not. */
export interface NativeFinding {
  readonly about: 'native';
  readonly process: string;
  /** Not released at the end of the view's time, and the highest before it with its time, ns. */
  readonly last: number;
  readonly peak: number;
  readonly peakAt: number;
  readonly allocated: Total;
  readonly accuracy: Accuracy;
  /** Of the live bytes, those that were in memory when that was measured last; null where it was not. */
  readonly resident: number | null;
  /** The live bytes of which `resident` is a part; the others are younger than the measurement. */
  readonly measured: number | null;
  /** Bytes in use when recording began, see {@link Answer.before}; 0 for a process recorded from its start. */
  readonly before: number | null;
  /** Blocks freed by the very next allocation event of their thread; null where only a sample was seen. */
  readonly fleetingCount: number | null;
  readonly view: View;
}

/** Who held memory when there was much more of it than what is left: a program that releases it before it ends. */
export interface PeakFinding {
  readonly about: 'peak';
  /** Whose native heap; absent of mapped memory, of which the moment is that of the highest resident set. */
  readonly process?: string;
  /** What was held, and when, ns. */
  readonly held: Total;
  readonly at: number;
  /** The functions that held most of it. */
  readonly rows: readonly Row[];
  readonly accuracy: Accuracy;
  readonly view: View;
}

const ROWS = 3;

/** Of each process that allocated any in the view, what is left first. */
export function nativeFindings(trace: Trace, view: View): NativeFinding[] {
  if (view.kinds.length > 0 && !view.kinds.includes('native-heap')) return [];
  const { mask } = processMask(trace, view);
  return trace.series
    .filter((series) => series.name === 'native-live' && mask[series.process] === 1)
    .map(({ process, time, value }): NativeFinding => {
      const own: View = {
        ...view,
        kinds: ['native-heap'],
        processes: [processName(trace, process)],
        metric: 'allocated',
      };
      const { total, accuracy } = top(trace, own, 'kind', 1);
      const seen = Array.from(time, (_, i) => i).filter((i) => time[i] <= view.to);
      const peak = seen.reduce((best, i) => (value[i] > value[best] ? i : best), 0);
      return {
        about: 'native',
        process: processName(trace, process),
        last: value[seen.at(-1) ?? 0] ?? 0,
        peak: value[peak] ?? 0,
        peakAt: time[peak] ?? 0,
        allocated: total,
        accuracy,
        ...residentOf(trace, { ...own, metric: 'live' }),
        before: nativeBefore(trace, own) === null ? null : (nativeBefore(trace, own) ?? 0),
        fleetingCount: trace.processes.nativeSource[process] === 'exact' ? fleetingOf(trace, process) : null,
        view: own,
      };
    })
    .filter((finding) => finding.allocated.count > 0)
    .sort((a, b) => b.last - a.last);
}

/** Processes of which it is looked at who held the peak: there can be thousands that have ended. */
const MOST_PEAKS = 3;

/** So many times what is left, and so many bytes more, is far above it. */
const FAR_ABOVE = 2;
const FAR_ABOVE_BYTES = 1 << 20;

const isFarAbove = (held: number, left: number) => held > FAR_ABOVE * left && held - left > FAR_ABOVE_BYTES;

/** Of what was never released in the whole recording, and only where the highest is far above it. */
export function peakFindings(trace: Trace, view: View, native: readonly NativeFinding[]): PeakFinding[] {
  if (view.metric !== 'unreleased' || view.from > 0 || view.to < lastMoment(trace)) return [];
  const findings = native
    .filter(({ peak, last }) => isFarAbove(peak, last))
    .sort((a, b) => b.peak - a.peak)
    .slice(0, MOST_PEAKS)
    .map(({ process, peakAt }): PeakFinding => {
      const processes = trace.processes.length === 1 ? view.processes : [process];
      return { process, ...heldAt(trace, { ...view, kinds: ['native-heap'], metric: 'peak', processes }, peakAt) };
    });
  const mapped = view.kinds.length === 1 && view.kinds[0] === 'mapped' ? mappedPeak(trace, view) : undefined;
  return [...findings, ...(mapped ? [mapped] : [])].filter(({ held }) => held.bytes > 0);
}

/** Of mapped memory only what was held at a moment is known: that of the highest resident set is asked for. */
function mappedPeak(trace: Trace, view: View): PeakFinding | undefined {
  const at = highestResidentAt(trace);
  if (at === undefined) return undefined;
  const finding = heldAt(trace, { ...view, metric: 'live', to: at }, at);
  return isFarAbove(finding.held.bytes, top(trace, view, 'kind').total.bytes) ? finding : undefined;
}

function heldAt(trace: Trace, asked: View, at: number): PeakFinding {
  const { view, answer } = functionsOf(trace, asked, ROWS);
  return { about: 'peak', held: answer.total, at, rows: answer.rows, accuracy: answer.accuracy, view };
}

function residentOf(trace: Trace, view: View): Pick<NativeFinding, 'resident' | 'measured'> {
  // The view holds one kind of memory.
  const row = top(trace, view, 'kind').rows.at(0);
  return { resident: row?.residentBytes ?? null, measured: row?.measuredBytes ?? null };
}

function fleetingOf(trace: Trace, process: ProcessIndex): number {
  const { thread, count, length } = trace.native.fleeting;
  let sum = 0;
  for (let i = 0; i < length; i++) if (trace.threads.process[thread[i]] === process) sum += count[i];
  return sum;
}
