import { type Float64Column, float64Column, type Int32Column, int32Column } from '../../trace/columns.ts';
import { kindIndex } from '../../trace/kinds.ts';
import { timeOrder } from '../../trace/order.ts';
import type { AgentCapture } from './capture.ts';
import type { Looks } from './looks.ts';

/** Rows of one of the Trace's native tables before names, in time order. Times are monotonic ns. */
export interface CountedRows {
  readonly length: number;
  readonly time: Float64Array;
  /** Row of the capture's `sites`. */
  readonly site: Int32Array;
  readonly bytes: Float64Array;
  readonly count: Float64Array;
}

/** What counters and looks together say, as the Trace wants it (`NativeTables`). */
export interface NativeCounts {
  readonly allocated: CountedRows;
  readonly released: CountedRows;
  readonly unreleased: CountedRows;
  readonly fleeting: CountedRows;
  readonly peak: CountedRows;
}

/**
 * The counters as rows over time: what changed between two looks has the time of the later one, and what changed after
 * the last look that of `end`. In sampled mode these are the mappings only, since blocks have events. Sites that do not count are left out.
 */
export function countNative(
  capture: AgentCapture,
  looks: Looks | undefined,
  end: number,
  counts: (site: number) => boolean = () => true,
): NativeCounts {
  const { sites, blocks } = capture;
  const allocated = createRows();
  const released = createRows();
  const seen = {
    allocatedBytes: new Float64Array(sites.length),
    allocatedCount: new Float64Array(sites.length),
    freedBytes: new Float64Array(sites.length),
    freedCount: new Float64Array(sites.length),
  };
  for (let row = 0; row < (looks?.length ?? 0); row++) {
    const site = looks!.site[row];
    if (site >= sites.length || !counts(site)) continue;
    const time = Math.min(end, looks!.time[looks!.look[row]]);
    allocated.add(time, site, looks!.allocatedBytes[row], looks!.allocatedCount[row]);
    released.add(time, site, looks!.freedBytes[row], looks!.freedCount[row]);
    seen.allocatedBytes[site] += looks!.allocatedBytes[row];
    seen.allocatedCount[site] += looks!.allocatedCount[row];
    seen.freedBytes[site] += looks!.freedBytes[row];
    seen.freedCount[site] += looks!.freedCount[row];
  }
  const fleeting = createRows();
  const peak = createRows();
  for (let site = 1; site < sites.length; site++) {
    if (!counts(site)) continue;
    const rest = (column: keyof typeof seen) => sites[column][site] - seen[column][site];
    allocated.add(end, site, rest('allocatedBytes'), rest('allocatedCount'));
    released.add(end, site, rest('freedBytes'), rest('freedCount'));
    fleeting.add(end, site, 0, sites.temporaryCount[site]);
    if (capture.mode !== 'exact') continue;
    peak.add(Math.min(end, capture.peakTime), site, sites.peakBytes[site], sites.peakCount[site]);
  }
  const unreleased = createRows();
  const order = Int32Array.from({ length: blocks.length }, (_, i) => i).sort((a, b) => blocks.tick[a] - blocks.tick[b]);
  for (const row of order) {
    if (!counts(blocks.site[row])) continue;
    const time = Math.min(end, looks?.time[blocks.tick[row]] ?? end);
    unreleased.add(time, blocks.site[row], blocks.bytes[row], blocks.count[row]);
  }
  return {
    allocated: allocated.finish(),
    released: released.finish(),
    unreleased: unreleased.finish(),
    fleeting: fleeting.finish(),
    peak: peak.finish(),
  };
}

interface Rows {
  add(time: number, site: number, bytes: number, count: number): void;
  finish(): CountedRows;
}

/** Rows of nothing are left out. */
function createRows(): Rows {
  const time: Float64Column = float64Column();
  const site: Int32Column = int32Column();
  const bytes: Float64Column = float64Column();
  const count: Float64Column = float64Column();
  return {
    add(...row) {
      if (row[2] === 0 && row[3] === 0) return;
      time.push(row[0]);
      site.push(row[1]);
      bytes.push(row[2]);
      count.push(row[3]);
    },
    finish: () => ({
      length: time.length,
      time: time.finish(),
      site: site.finish(),
      bytes: bytes.finish(),
      count: count.finish(),
    }),
  };
}

/** Requested bytes of the native heap over time: monotonic ns, bytes. */
export interface LiveSeries {
  readonly time: Float64Array;
  readonly value: Float64Array;
}

const HEAP = kindIndex('native-heap');
/** Points of a series from samples: more than any screen is wide. */
const SERIES_POINTS = 4096;

/**
 * The native heap as the counters of exact mode say it, at each look, and at its peak between them. The agent watches the
 * peak: a look above it has read counters that changed meanwhile.
 */
export function liveByCounts(capture: AgentCapture, { allocated, released, peak }: NativeCounts): LiveSeries {
  const changes = new Map<number, number>();
  const add = (rows: CountedRows, sign: number) => {
    for (let i = 0; i < rows.length; i++) {
      if (capture.sites.kind[rows.site[i]] !== HEAP) continue;
      changes.set(rows.time[i], (changes.get(rows.time[i]) ?? 0) + sign * rows.bytes[i]);
    }
  };
  add(allocated, 1);
  add(released, -1);
  const looks = runningSum([...changes].sort(([a], [b]) => a - b));
  if (peak.length === 0) return looks;
  const highest = { time: peak.time[0], value: peak.bytes.reduce((sum, bytes) => sum + bytes, 0) };
  const after = looks.time.findIndex((time) => time > highest.time);
  const at = after < 0 ? looks.time.length : after;
  const value = looks.value.map((bytes) => Math.min(bytes, highest.value));
  return { time: withValue(looks.time, at, highest.time), value: withValue(value, at, highest.value) };
}

function withValue(column: Float64Array, at: number, value: number): Float64Array {
  const longer = new Float64Array(column.length + 1);
  longer.set(column.subarray(0, at));
  longer[at] = value;
  longer.set(column.subarray(at), at + 1);
  return longer;
}

/** The native heap as its samples say it, `bytes` is what each stands for; and what of it is counted all the same. */
export function liveBySamples(
  { samples, sites }: AgentCapture,
  bytes: Float64Array,
  { allocated, released }: Pick<NativeCounts, 'allocated' | 'released'>,
): LiveSeries {
  const time = float64Column();
  const change = float64Column();
  const add = (at: number, bytes: number) => {
    time.push(at);
    change.push(bytes);
  };
  for (const [rows, sign] of [
    [allocated, 1],
    [released, -1],
  ] as const) {
    for (let i = 0; i < rows.length; i++) {
      if (sites.kind[rows.site[i]] === HEAP) add(rows.time[i], sign * rows.bytes[i]);
    }
  }
  for (let i = 0; i < samples.length; i++) {
    add(samples.time[i], bytes[i]);
    if (samples.released[i] !== Number.POSITIVE_INFINITY) add(samples.released[i], -bytes[i]);
  }
  return highestOf(time.finish(), change.finish());
}

/**
 * The running sum of changes: all of it, or of each stretch of so many the highest, for a peak must not fall between the
 * points, and the last.
 */
function highestOf(time: Float64Array, change: Float64Array): LiveSeries {
  const order = timeOrder(time);
  const step = Math.max(1, Math.ceil(time.length / SERIES_POINTS));
  const points = Math.ceil(time.length / step);
  const highest = {
    time: new Float64Array(points + 1),
    value: new Float64Array(points + 1).fill(Number.NEGATIVE_INFINITY),
  };
  let live = 0;
  for (let i = 0; i < time.length; i++) {
    const row = order === undefined ? i : order[i];
    const point = i === time.length - 1 ? points : Math.floor(i / step);
    live += change[row];
    if (live <= highest.value[point]) continue;
    highest.time[point] = time[row];
    highest.value[point] = live;
  }
  // The last alone in its stretch leaves none there.
  const isThere = (_: number, point: number) => highest.value[point] > Number.NEGATIVE_INFINITY;
  return { time: highest.time.filter(isThere), value: highest.value.filter(isThere) };
}

function runningSum(changes: readonly (readonly [number, number])[]): LiveSeries {
  let live = 0;
  const value = Float64Array.from(changes, ([, change]) => {
    live += change;
    return live;
  });
  return { time: Float64Array.from(changes, ([time]) => time), value };
}
