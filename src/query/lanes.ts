import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { figureOf } from './answer.ts';
import { threadName } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { ROWS, WIDTH } from './sums.ts';
import { sumOverTime } from './timeline.ts';
import { top } from './top.ts';

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
  const threads = top(trace, view, 'thread', limit);
  const values = threads.rows.map(() => new Array<number>(buckets).fill(0));
  const laneOf = new Map(threads.rows.map((row, lane) => [row.other ? undefined : row.name, lane]));
  const lanes = Array.from(
    { length: trace.threads.length + 1 },
    (_, slot) => laneOf.get(slot === 0 ? '[no thread]' : threadName(trace, slot - 1)) ?? laneOf.get(undefined),
  );
  sumOverTime(trace, view, select(trace, view), buckets, 'thread', trace.threads.length, (bucket, sums) => {
    for (let slot = 0; slot < lanes.length; slot++) {
      const lane = lanes[slot];
      if (lane !== undefined && sums[slot * WIDTH + ROWS] > 0) values[lane][bucket] += figureOf(sums, slot, view.unit);
    }
  });
  return { ...threads, rows: threads.rows.map((row, lane) => ({ ...row, values: values[lane] })) };
}
