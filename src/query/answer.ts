import { KINDS } from '../trace/kinds.ts';
import type { Trace } from '../trace/tables.ts';
import { DEFAULT_VIEW, type Metric, type Unit, type View } from '../trace/view.ts';
import { accuracyOf, relativeError } from './error.ts';
import type { Amount, Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { sumBy } from './sum-by.ts';
import { BYTES, COUNT, ROWS, type Sums, totalOf, UNSEEN, VARIANCE, WIDTH } from './sums.ts';

/** The parts every answer has; `total` is one group of sums. */
export function answer<R>(
  trace: Trace,
  view: View,
  total: Sums,
  rows: readonly R[],
  warnings: readonly string[],
): Answer<R> {
  const error = errorOf(total, 0, view.unit);
  return {
    view,
    metric: view.metric,
    unit: view.unit,
    total: { ...amountOf(total, 0), ...(error !== undefined && { error }) },
    whole: wholeOf(trace, view.metric),
    accuracy: accuracyOf(total[VARIANCE]),
    rows,
    warnings: [...traceWarnings(trace), ...warnings],
  };
}

export function amountOf(sums: Sums, group: number): Amount {
  return { bytes: sums[group * WIDTH + BYTES], count: sums[group * WIDTH + COUNT] };
}

export function figureOf(sums: Sums, group: number, unit: Unit): number {
  return sums[group * WIDTH + (unit === 'bytes' ? BYTES : COUNT)];
}

export function errorOf(sums: Sums, group: number, unit: Unit): number | undefined {
  const at = group * WIDTH;
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

const wholes = new WeakMap<Trace, Map<Metric, Amount>>();

function wholeOf(trace: Trace, metric: Metric): Amount {
  const known = wholes.get(trace) ?? new Map<Metric, Amount>();
  wholes.set(trace, known);
  let whole = known.get(metric);
  if (whole === undefined) {
    const selection = select(trace, { ...DEFAULT_VIEW, metric });
    whole = amountOf(totalOf(sumBy(trace, selection, 'bytes', 'kind', KINDS.length)), 0);
    known.set(metric, whole);
  }
  return whole;
}

/** What the reader of any figure of this trace must know. */
export function traceWarnings(trace: Trace): string[] {
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
