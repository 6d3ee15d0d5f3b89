import { KIND_LABELS, KINDS, type Kind } from '../trace/kinds.ts';
import { listed } from '../trace/listed.ts';
import { plural } from '../trace/plural.ts';
import type { Trace } from '../trace/tables.ts';
import type { Metric, View } from '../trace/view.ts';
import { derived } from './derived.ts';
import { highestResidentAt, lastMoment } from './moments.ts';

/** What a view must say of itself for its metric to be told. */
interface MetricView extends KindsInRange {
  readonly metric: Metric;
}

/** Kinds of memory, all where none is named, and a stretch of time, ns. */
export interface KindsInRange extends Pick<View, 'kinds'> {
  readonly from: number;
  readonly to: number;
}

/** The kinds of memory asked for of which there are counters and no events. */
export function countedKinds(trace: Trace, { kinds }: Pick<View, 'kinds'>): Kind[] {
  return derived(trace).kindsCounted.filter((kind) => kinds.length === 0 || kinds.includes(kind));
}

/** Whether what was released of the kinds of memory asked for is known by counters alone. */
export function hasCountersOnly(trace: Trace, view: Pick<View, 'kinds'>): boolean {
  return !isToldBeside(trace, view, countedKinds(trace, view));
}

/** Kinds of memory whose counters cannot tell a metric, and whether nothing that was asked for can. */
interface Untold {
  readonly kinds: readonly Kind[];
  readonly reason: string;
  readonly isAll: boolean;
}

/** Undefined where all counters that are asked for tell the metric. */
export function untoldOf(trace: Trace, view: MetricView): Untold | undefined {
  const counted = countedKinds(trace, view);
  const isInside = view.from > 0 && view.to < lastMoment(trace);
  const { metric } = view;
  if ((metric === 'unreleased' || metric === 'temporary') && isInside && counted.length > 0) {
    return { kinds: counted, reason: noEventTimes(trace, metric, counted), isAll: !isToldBeside(trace, view, counted) };
  }
  if (metric !== 'peak') return undefined;
  if ((view.from > 0 || view.to < lastMoment(trace)) && counted.includes('native-heap')) {
    return { kinds: counted, reason: PEAK_OF_ALL, isAll: true };
  }
  const others = counted.filter((kind) => kind !== 'native-heap');
  if (others.length === 0) return undefined;
  return { kinds: others, reason: peakOfNative(trace), isAll: !isToldBeside(trace, view, others) };
}

/** Whether more is asked for than `untold`, and can be told: where blocks are sampled, mappings are counted all the same. */
function isToldBeside(trace: Trace, { kinds }: Pick<View, 'kinds'>, untold: readonly Kind[]): boolean {
  // Counted in some processes and sampled in others: a part of it would look like all of it.
  if (untold.includes('native-heap')) return false;
  const { kindsPresent, kindsWithoutReleases } = derived(trace);
  return KINDS.some(
    (kind, row) =>
      kindsPresent[row] === 1 &&
      kindsWithoutReleases[row] === 0 &&
      !untold.includes(kind) &&
      (kinds.length === 0 || kinds.includes(kind)),
  );
}

const PEAK_OF_ALL =
  'where native memory is counted, its peak is known for the whole recording only: leave out the range of time';

function noEventTimes({ processes }: Trace, metric: Metric, kinds: readonly Kind[]): string {
  const isSampled = processes.nativeSource.includes('sampled') && !processes.nativeSource.includes('exact');
  const isExact = kinds.includes('native-heap') && !isSampled;
  const names = kinds.map((kind) => (kind === 'native-heap' ? UNSEEN_BLOCKS : KIND_LABELS[kind]));
  const why = isExact
    ? 'exact native recording keeps no event times'
    : `${listed(names)} ${plural(names.length, 'is', 'are')} counted in every mode, which keeps no event times`;
  const remedies = [
    'leave out its end or its beginning',
    'use the metric "net" (allocated minus released)',
    ...(isExact ? ['record with --native sampled'] : []),
  ];
  return `${why}, so "${metric}" needs a range that begins with the recording or ends with it; ${either(remedies)}`;
}

/** Of the native heap where blocks are sampled. */
const UNSEEN_BLOCKS = 'what an allocator maps whose blocks are not seen';

const either = (texts: readonly string[]) => `${texts.slice(0, -1).join(', ')}, or ${texts.at(-1)}`;

/** With the moment at which the resident set was highest, where that was measured. */
function peakOfNative(trace: Trace): string {
  const at = highestResidentAt(trace);
  const moment = at === undefined ? 'a moment' : `${(at / 1e9).toFixed(2)}s`;
  const when = at === undefined ? '' : ', when the resident set was highest';
  return `the peak is known of the native heap only; for what was held at any moment use the metric "live" up to then: --metric live --to ${moment}${when}`;
}

/** Whether nobody can tell what was allocated in the range and not released by its end; what was released in it is known. */
export function tellsNetOnly(trace: Trace, { kinds, from, to }: KindsInRange): boolean {
  return untoldOf(trace, { kinds, from, to, metric: 'unreleased' })?.isAll === true;
}
