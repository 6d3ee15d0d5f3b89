import { expect, test } from 'vitest';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { liveByCounts, liveBySamples, type NativeCounts } from '../../src/read/agent/counts.ts';

const rows = (...all: readonly (readonly [time: number, bytes: number])[]) => ({
  length: all.length,
  time: Float64Array.from(all, ([time]) => time),
  site: new Int32Array(all.length),
  bytes: Float64Array.from(all, ([, bytes]) => bytes),
  count: new Float64Array(all.length).fill(1),
});
const capture = { sites: { kind: Uint8Array.of(1) } } as unknown as AgentCapture;

test('the native heap over time reaches its peak also between two looks, and never above it', () => {
  const counts = {
    allocated: rows([1, 100], [3, 60], [4, 60]),
    released: rows([3, 120]),
    peak: rows([2, 150], [2, 48]),
  } as unknown as NativeCounts;
  const { time, value } = liveByCounts(capture, counts);
  expect([...time]).toEqual([1, 2, 3, 4]);
  expect([...value]).toEqual([100, 198, 40, 100]);
  expect([...liveByCounts(capture, { ...counts, peak: rows([9, 90]) }).value]).toEqual([90, 40, 90, 90]);
});

test('of many samples the series keeps the peak and ends with what is left', () => {
  const length = 20_000;
  const time = Float64Array.from({ length }, (_, i) => i);
  // Every third is kept; the others live for up to 500, and nothing happens at one time.
  const released = time.map((at, i) => (i % 3 === 0 ? Number.POSITIVE_INFINITY : at + 0.5 + ((i * 7919) % 500)));
  const bytes = time.map((_, i) => 1 + ((i * 31) % 97));
  const samples = { length, time, released, site: new Int32Array(length) };
  const none = { allocated: rows(), released: rows() };
  const series = liveBySamples({ ...capture, samples } as unknown as AgentCapture, bytes, none);

  const changes = Array.from(time, (at, i) => [at, bytes[i]]);
  for (let i = 0; i < length; i++) if (released[i] < Number.POSITIVE_INFINITY) changes.push([released[i], -bytes[i]]);
  let live = 0;
  let peak = 0;
  for (const [, change] of changes.sort(([a], [b]) => a - b)) {
    live += change;
    peak = Math.max(peak, live);
  }
  expect(Math.max(...series.value)).toBe(peak);
  expect(series.value.at(-1)).toBe(live);
  expect(series.time.length).toBeLessThan(5000);
  expect([...series.time]).toEqual([...series.time].sort((a, b) => a - b));
});
