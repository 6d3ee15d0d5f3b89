import { expect, test } from 'vitest';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { liveByCounts, type NativeCounts } from '../../src/read/agent/counts.ts';

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
