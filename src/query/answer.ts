import { TraceError } from '../trace/errors.ts';
import { KINDS } from '../trace/kinds.ts';
import { type BlindSpot, NONE, type Trace } from '../trace/tables.ts';
import { DEFAULT_VIEW, type Unit, type View } from '../trace/view.ts';
import { absenceOf, blindSpotsOf, blindTexts } from './blind.ts';
import { cutOf } from './cut.ts';
import { accuracyOf, LEAST_SAMPLES_TO_COUNT, relativeError } from './error.ts';
import { createRecent, type Recent } from './recent.ts';
import type { Amount, Answer, Cut, Nothing, Row } from './rows.ts';
import { processMask, select } from './selection.ts';
import { sumBy } from './sum-by.ts';
import { BYTES, COUNT, ROWS, type Sums, totalOf, UNSEEN, VARIANCE, WIDTH } from './sums.ts';
import { tellsNetOnly } from './untold.ts';

/** The parts every answer has; `total` is one group of sums. */
export function answer<R>(
  trace: Trace,
  view: View,
  total: Sums,
  rows: readonly R[],
  warnings: readonly string[],
): Answer<R> {
  const error = errorOf(total, 0, view.unit);
  const cut = cutOf(trace, view);
  return {
    view,
    metric: view.metric,
    unit: view.unit,
    total: { ...amountOf(total, 0), ...(error !== undefined && { error }) },
    whole: wholeOf(trace, view),
    accuracy: accuracyOf(total[VARIANCE]),
    ...(view.metric === 'net' && tellsNetOnly(trace, view) && { onlyNet: true }),
    rows,
    ...(total[ROWS] === 0 && { nothing: nothingOf(trace, view, cut) }),
    ...(cut && { cut }),
    warnings: [
      ...generalWarnings(trace),
      ...blindWarnings(trace, view),
      ...(cut === undefined ? [] : [cutText(cut)]),
      ...warnings,
    ],
  };
}

/** Why there are no rows. */
export function nothingOf(trace: Trace, view: View, cut?: Cut): Nothing {
  if (trace.recording.preview) return { about: 'unread', texts: [] };
  const absence = absenceOf(trace, view, processMask(trace, view).mask);
  const texts = [...(absence?.texts ?? []), ...(cut?.isFiltered ? [cutText(cut)] : [])];
  if (absence?.whole) return { about: 'unrecorded', texts };
  return { about: texts.length > 0 ? 'partly-unrecorded' : 'nothing', texts };
}

/** "95.1 % of the bytes have stacks that were cut at 100 frames: …" */
function cutText({ share, limits, isFiltered }: Cut): string {
  const percent = share > 0.9995 ? 'all' : share < 0.001 ? 'less than 0.1 %' : `${(share * 100).toFixed(1)} %`;
  const cut = `${percent} of the bytes have stacks that were cut at ${limits.join(' or ')} frames`;
  if (!isFiltered) return `${cut}: what called them further out is not known`;
  return `${cut}, without this filter: what is asked for may stand further out on them`;
}

/** What the view's blind spots are; what was left out by choice, only where it is asked for. */
export function blindWarnings(trace: Trace, view: View): string[] {
  const spots = blindSpotsOf(trace, view, processMask(trace, view).mask);
  const isChosen = ({ effect, process }: BlindSpot) => effect === 'absent' && process === NONE;
  return blindTexts(
    trace,
    spots.filter((spot) => view.kinds.length > 0 || !isChosen(spot)),
  );
}

export function amountOf(sums: Sums, group: number): Amount {
  return { bytes: sums[group * WIDTH + BYTES], count: sums[group * WIDTH + COUNT] };
}

export function figureOf(sums: Sums, group: number, unit: Unit): number {
  return sums[group * WIDTH + (unit === 'bytes' ? BYTES : COUNT)];
}

/** Relative 95 % half-width of a group; undefined: it is exact, or nothing is known of any error; null: not of this one. */
export function errorOf(sums: Sums, group: number, unit: Unit): number | null | undefined {
  const at = group * WIDTH;
  const isFew = sums[at + VARIANCE] > 0 && sums[at + ROWS] < LEAST_SAMPLES_TO_COUNT;
  if (unit === 'count' && isFew && sums[at + UNSEEN] !== Number.POSITIVE_INFINITY) return null;
  return relativeError({
    value: figureOf(sums, group, unit),
    variance: sums[at + VARIANCE],
    unseen: sums[at + UNSEEN],
    rows: sums[at + ROWS],
  });
}

/** The figures of one row: a group of `sums`, its share of the one group `total`. */
export function figuresOf(
  sums: Sums,
  group: number,
  total: Sums,
  unit: Unit,
): Pick<Row, 'bytes' | 'count' | 'share' | 'error'> {
  const whole = figureOf(total, 0, unit);
  const error = errorOf(sums, group, unit);
  return {
    ...amountOf(sums, group),
    share: whole === 0 ? 0 : figureOf(sums, group, unit) / whole,
    ...(error !== undefined && { error }),
  };
}

const wholes = new WeakMap<Trace, Recent<Amount>>();

/**
 * What a view is a part of. Of what was allocated a range of time is a part; what is held, or was released, at the end of a
 * range may be more than at the end of the recording, so there the whole is that of the same range.
 */
function wholeOf(trace: Trace, { metric, from, to, kinds }: View): Amount {
  const recent = wholes.get(trace) ?? createRecent(8);
  wholes.set(trace, recent);
  const range = metric === 'allocated' || metric === 'peak' ? {} : { from, to };
  const whole = (view: View) =>
    recent(JSON.stringify([view.metric, view.from, view.to, view.kinds]), () => {
      const selection = select(trace, view);
      return amountOf(totalOf(sumBy(trace, selection, 'bytes', 'kind', KINDS.length)), 0);
    });
  const all = { ...DEFAULT_VIEW, metric, ...range };
  try {
    return whole(all);
  } catch (error) {
    // Other kinds cannot tell this metric: the whole is of those that were asked for.
    if (!(error instanceof TraceError)) throw error;
    return whole({ ...all, kinds });
  }
}

/** Everything that the trace cannot tell. */
export function traceWarnings(trace: Trace): string[] {
  return [...generalWarnings(trace), ...blindTexts(trace, trace.recording.blindSpots)];
}

/** What the reader of any figure of this trace must know. */
function generalWarnings(trace: Trace): string[] {
  return [...trace.recording.warnings, ...sourceWarnings(trace)];
}

/** What the way the allocations were observed means for the figures. */
function sourceWarnings(trace: Trace): string[] {
  if (trace.recording.preview) return ['the trace is still being read: who allocated is not known yet'];
  const { allocationSource, nativeSource } = trace.processes;
  const warnings: string[] = [];
  if (![...allocationSource, ...nativeSource].some((source) => source !== 'none')) {
    warnings.push('the trace holds no allocations, so nothing can be said about who allocated');
  }
  if (allocationSource.includes('allocation-tick')) {
    warnings.push(
      'the runtime told of every 100 KiB in turn and not at random (up to .NET 9, and in traces of dotnet-trace): totals ' +
        'are right, but types, threads and lines are off where the program allocates in step with that or in several ' +
        'threads at once, and nobody can tell how far',
    );
  }
  if (allocationSource.includes('allocation-tick-without-size')) {
    warnings.push(
      'the allocation events carry no object sizes (before .NET 6): counts are events, errors are not known',
    );
  }
  return warnings;
}
