import type { Trace } from '../trace/tables.ts';

/** Time of the last row of any table. */
export function lastMoment(trace: Trace): number {
  const { allocated, released, unreleased } = trace.native;
  const ends = [trace.allocations, allocated, released, unreleased].map((table) => table.time.at(-1) ?? 0);
  return Math.max(trace.recording.duration, ...ends);
}

/** When the resident set of one of the processes was the highest that was measured, ns; undefined where none was measured. */
export function highestResidentAt({ series }: Trace): number | undefined {
  let highest = Number.NEGATIVE_INFINITY;
  let at: number | undefined;
  for (const { name, time, value } of series) {
    for (let i = 0; name === 'rss' && i < time.length; i++) {
      if (value[i] <= highest) continue;
      highest = value[i];
      at = time[i];
    }
  }
  return at;
}
