import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { figureOf } from './answer.ts';
import { threadName } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { forgetCancelled } from './sum-by.ts';
import { addSums, type Sums, WIDTH } from './sums.ts';
import { sumOverTime } from './timeline.ts';
import { topThreads } from './top.ts';

/** A thread and what it allocated in each stretch of time, in the unit asked for; "other" for the threads not shown. */
export interface LaneRow extends Row {
  readonly values: readonly number[];
}

/**
 * The `limit` threads with the largest figures over time, the view's range cut into `buckets` stretches as in
 * `timeline`. All threads and "other" add up to the total.
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function lanes(trace: Trace, view: View, buckets: number, limit: number): Answer<LaneRow> {
  const selection = select(trace, view);
  const slots = trace.threads.length + 1;
  const figures = new Float64Array(buckets * slots);
  const sums: Sums = new Float64Array(slots * WIDTH);
  sumOverTime(trace, view, selection, buckets, 'thread', trace.threads.length, (bucket, ofThreads) => {
    for (let slot = 0; slot < slots; slot++) {
      addSums(sums, slot, ofThreads, slot);
      figures[bucket * slots + slot] = figureOf(ofThreads, slot, view.unit);
    }
  });
  forgetCancelled(sums, selection);
  const threads = topThreads(trace, view, selection, sums, limit);
  const values = new Map(threads.rows.map((row) => [laneName(row), new Array<number>(buckets).fill(0)]));
  // A thread whose figures cancel out over the whole range has no row, and yet holds something in a part of it.
  const rest = values.get(OTHER) ?? new Array<number>(buckets).fill(0);
  let folded = 0;
  for (let slot = 0; slot < slots; slot++) {
    const lane = values.get(slot === 0 ? '[no thread]' : threadName(trace, slot - 1)) ?? rest;
    let holds = false;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const figure = figures[bucket * slots + slot];
      lane[bucket] += figure;
      holds ||= figure !== 0;
    }
    if (holds && lane === rest) folded++;
  }
  const isLeftOver = folded > 0 && !values.has(OTHER);
  const other: Row = { name: 'other', bytes: 0, count: 0, share: 0, other: true, folded };
  return {
    ...threads,
    rows: [
      ...threads.rows.map((row) => ({ ...row, values: values.get(laneName(row)) ?? rest })),
      ...(isLeftOver ? [{ ...other, values: rest }] : []),
    ],
  };
}

/** The lane of the threads without one of their own; no thread is called so. */
const OTHER = '';
const laneName = (row: Row) => (row.other ? OTHER : row.name);
