import { expect, test } from 'vitest';
import { relativeError } from '../../src/query/error.ts';
import { top } from '../../src/query/top.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { DEFAULT_VIEW } from '../../src/trace/view.ts';

test('many samples: 1.96 standard deviations', () => {
  expect(relativeError(100, 1)).toBeCloseTo(0.0196, 10);
});

test('few samples: the upper half of the Poisson interval', () => {
  // Exact (Garwood) upper limits for 1, 5 and 10 events are 5.572, 11.668 and 18.390.
  expect(relativeError(1, 1)).toBeCloseTo(4.572, 1);
  expect(relativeError(5, 5)).toBeCloseTo(11.668 / 5 - 1, 2);
  expect(relativeError(10, 10)).toBeCloseTo(18.39 / 10 - 1, 3);
});

test('exact, unknown and empty figures have no error', () => {
  expect(relativeError(10, 0)).toBeUndefined();
  expect(relativeError(10, Number.NaN)).toBeUndefined();
  expect(relativeError(0, 4)).toBeUndefined();
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

test('events without object sizes give no error and say so', () => {
  const trace = traceFromText('process  1  old  allocation-tick-without-size\n1ms  main  soh  A  100000');
  const { rows, accuracy, warnings } = top(trace, DEFAULT_VIEW, 'type');
  expect(rows[0].error).toBeUndefined();
  expect(accuracy).toBe('unknown');
  expect(warnings.join()).toMatch(/no object sizes/);
});

test('95 % of intervals hold the truth, also where few samples are drawn', () => {
  // 20,000 objects of 100 bytes sampled with a mean of 100 KiB are about 20 samples; a fixed generator of draws.
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const p = 1 - Math.exp(-100 / 102_400);
  for (const objects of [5_000, 20_000, 100_000]) {
    let held = 0;
    let drawn = 0;
    for (let run = 0; run < 1000; run++) {
      let samples = 0;
      for (let gap = Math.log(random()) / Math.log1p(-p); gap < objects; gap += Math.log(random()) / Math.log1p(-p))
        samples++;
      if (samples === 0) continue;
      drawn++;
      const estimate = samples / p;
      const error = relativeError(estimate, samples * (1 - p) * p ** -2) ?? 0;
      if (Math.abs(estimate - objects) <= error * estimate) held++;
    }
    expect(held / drawn, `${objects} objects`).toBeGreaterThan(0.93);
  }
});
