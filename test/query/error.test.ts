import { expect, test } from 'vitest';
import { relativeError } from '../../src/query/error.ts';
import { facts } from '../../src/query/facts.ts';
import { report } from '../../src/query/report.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { DEFAULT_VIEW } from '../../src/trace/view.ts';
import { managedSourceText } from '../../src/wording/recording.ts';

/** `rows` samples of objects of which each is seen with probability `p`. */
const like = (rows: number, p: number) => ({
  value: rows / p,
  variance: (rows * (1 - p)) / p ** 2,
  unseen: (rows * (1 - p)) / p,
  rows,
});

test('many samples: 1.96 standard deviations', () => {
  expect(relativeError(like(10_000, 1e-6))).toBeCloseTo(0.0196, 5);
});

test('few samples: both tails of the Poisson distribution together are 5 %', () => {
  // P(count ≤ n; mean = n (1 + error)), halved at n itself, plus the same above: by the distribution itself.
  for (const n of [1, 2, 5, 10, 30, 100]) {
    const error = relativeError(like(n, 1e-9))!;
    const tails = midTail(n, n * (1 + error), -1) + midTail(n, n * (1 - error), 1);
    expect(tails, `${n} samples`).toBeCloseTo(0.05, 3);
  }
});

/** Probability of counts below (-1) or above (1) `n` and half that of `n`, for a Poisson count of mean `mean`. */
function midTail(n: number, mean: number, side: -1 | 1): number {
  if (mean <= 0) return 0;
  let term = Math.exp(-mean);
  let below = 0;
  for (let k = 0; k < n; k++) {
    below += term;
    term *= mean / (k + 1);
  }
  return side < 0 ? below + term / 2 : 1 - below - term / 2;
}

test('what was surely seen takes no part: only the rest is uncertain', () => {
  const few = like(5, 0.01);
  const certain = 1e6;
  const both = { ...few, value: few.value + certain, rows: few.rows + 1 };
  const [alone, together] = [few, both].map((one) => relativeError(one)! * one.value);
  expect(together).toBeGreaterThan(alone * 0.85);
  expect(together).toBeLessThanOrEqual(alone);
  // Of one object that is seen 98 times in 100 none is missing, or at most one.
  expect(relativeError(like(1, 0.98))).toBeLessThan(1);
});

test('a difference is no count: 1.96 standard deviations, however few samples', () => {
  expect(relativeError({ value: -3, variance: 9, unseen: Number.POSITIVE_INFINITY, rows: 4 })).toBeCloseTo(1.96, 10);
  const trace = traceFromText(`
process  1  app  allocation-sampled
1ms  main  soh  A  100000 x1000 ~3ms
1ms  main  soh  A  100000 x1000 ~3ms
2ms  main  soh  A  100000 x1000
`);
  const { rows } = top(trace, { ...DEFAULT_VIEW, metric: 'net', from: 2e6, to: 4e6 }, 'type');
  expect(rows[0].bytes).toBe(-100_000);
  expect(rows[0].error).toBeCloseTo(1.96 * Math.sqrt(3 * 0.999), 10);
});

test('exact, unknown and empty figures have no error', () => {
  expect(relativeError({ value: 10, variance: 0, unseen: 0, rows: 1 })).toBeUndefined();
  expect(relativeError({ value: 10, variance: Number.NaN, unseen: 3, rows: 1 })).toBeUndefined();
  expect(relativeError({ value: 0, variance: 4, unseen: Number.POSITIVE_INFINITY, rows: 2 })).toBeUndefined();
});

test('objects that were surely sampled carry no error, others by their weight', () => {
  const trace = traceFromText(`
process  1  app  allocation-sampled
${'1ms  main  soh  Small  100000 x1000\n'.repeat(400)}
1ms  main  loh  Big  104857600`);
  const { rows, total, accuracy } = top(trace, DEFAULT_VIEW, 'type');
  expect(accuracy).toBe('sampled');
  expect(rows[0]).toEqual({ name: 'Big', bytes: 104857600, count: 1, share: 104857600 / 144857600 });
  // 400 samples of equal weight: 1.96 / √400, times √(1 − 1/1000).
  expect(rows[1].error).toBeCloseTo(0.098 * Math.sqrt(0.999), 10);
  expect(total.error).toBeCloseTo((0.098 * Math.sqrt(0.999) * 40_000_000) / 144857600, 10);
  const counts = top(trace, { ...DEFAULT_VIEW, unit: 'count' }, 'type');
  expect(counts.rows[0].name).toBe('Small');
  expect(counts.rows[0].error).toBeCloseTo(0.098 * Math.sqrt(0.999), 10);
});

test('of ticks no error is stated: they can be in step with the program', () => {
  const trace = traceFromText(`process  1  app  allocation-tick\n${'1ms  main  soh  A  110168 x5\n'.repeat(100)}`);
  const { rows, total, accuracy, warnings } = top(trace, DEFAULT_VIEW, 'type');
  expect([rows[0].error, total.error, accuracy]).toEqual([undefined, undefined, 'unknown']);
  expect(warnings.join()).toMatch(/in turn and not at random/);
});

test.for(['exact', 'allocation-sampled'])(
  'where events were lost, nothing is exact and no error is stated: %s',
  (source) => {
    const trace = traceFromText(`
process  1  gaps  ${source}  lost
1ms  main  soh  A  100000 x1000
1ms  main  loh  B  50000000
native-allocated  1ms  main  4096 x1  app!main
process  2  whole  ${source}
1ms  main  loh  C  50000000
`);
    for (const dimension of ['type', 'process', 'kind', 'function'] as const) {
      expect(top(trace, DEFAULT_VIEW, dimension).accuracy).toBe('unknown');
    }
    expect(report(trace, DEFAULT_VIEW).accuracy).toBe('unknown');
    expect(top(trace, { ...DEFAULT_VIEW, types: ['B'] }, 'type').accuracy).toBe('unknown');
    expect(top(trace, { ...DEFAULT_VIEW, types: ['C'] }, 'type').accuracy).toBe('exact');
    expect(top(trace, { ...DEFAULT_VIEW, kinds: ['native-heap'] }, 'kind').accuracy).toBe('exact');
    expect(timeline(trace, DEFAULT_VIEW, 4).accuracy).toBe('unknown');
    expect(managedSourceText(facts(trace, DEFAULT_VIEW).processes[0])).toMatch(/events were lost/);
    expect(managedSourceText(facts(trace, DEFAULT_VIEW).processes[1])).not.toMatch(/events were lost/);
  },
);

test('events without object sizes give no error and say so', () => {
  const trace = traceFromText('process  1  old  allocation-tick-without-size\n1ms  main  soh  A  100000');
  const { rows, accuracy, warnings } = top(trace, DEFAULT_VIEW, 'type');
  expect(rows[0].error).toBeUndefined();
  expect(accuracy).toBe('unknown');
  expect(warnings.join()).toMatch(/no object sizes/);
});

test('an object that was seen for sure has no error to speak of', () => {
  const size = 2 ** 20;
  const count = 1 / -Math.expm1(-size / 65536);
  const part = 1 - 1 / count;
  for (const rows of [1, 10]) {
    const value = rows * size * count;
    const error = relativeError({ value, variance: rows * part * (size * count) ** 2, unseen: part * value, rows });
    expect(error).toBeLessThan(1e-6);
  }
});
