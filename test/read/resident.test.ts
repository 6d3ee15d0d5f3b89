import { expect, test } from 'vitest';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { formatResidency, parseResidency, type Residency, residentRows } from '../../src/read/agent/resident.ts';

/** One site, 1: what of it lives at the end, by tick in exact mode, by sample in sampled mode. */
const exact = (blocks: readonly { tick: number; bytes: number; count: number }[]) =>
  ({
    mode: 'exact',
    sites: { length: 2 },
    blocks: {
      length: blocks.length,
      site: Int32Array.from(blocks, () => 1),
      tick: Int32Array.from(blocks, ({ tick }) => tick),
      bytes: Float64Array.from(blocks, ({ bytes }) => bytes),
      count: Float64Array.from(blocks, ({ count }) => count),
    },
  }) as unknown as AgentCapture;

const sampled = (samples: readonly { time: number; released?: number }[]) =>
  ({
    mode: 'sampled',
    sites: { length: 2 },
    samples: {
      length: samples.length,
      site: Int32Array.from(samples, () => 1),
      time: Float64Array.from(samples, ({ time }) => time),
      released: Float64Array.from(samples, ({ released = Number.POSITIVE_INFINITY }) => released),
    },
  }) as unknown as AgentCapture;

const measured = (blocks: number, size: number, bytes: number): Residency => ({
  time: 50,
  tick: 5,
  site: Int32Array.of(1),
  blocks: Float64Array.of(blocks),
  size: Float64Array.of(size),
  bytes: Float64Array.of(bytes),
});

function said(capture: AgentCapture, residency: Residency, each = { bytes: 0, count: 0 }): number[] {
  const length = capture.mode === 'sampled' ? capture.samples.length : 0;
  const estimated = {
    bytes: new Float64Array(length).fill(each.bytes),
    count: new Float64Array(length).fill(each.count),
  };
  const rows = residentRows(capture, residency, estimated);
  return [rows.measured.bytes[0], rows.measured.count[0], rows.resident.bytes[0]];
}

test('a measurement comes back from its text as it was', () => {
  const one = measured(3, 300, 250);
  expect(parseResidency(formatResidency(one))).toEqual(one);
});

test('blocks younger than the measurement are in neither figure', () => {
  const left = exact([
    { tick: 5, bytes: 300, count: 3 },
    { tick: 6, bytes: 4000, count: 4 },
  ]);
  expect(said(left, measured(3, 300, 250))).toEqual([300, 3, 250]);
  const each = { bytes: 100, count: 10 };
  expect(said(sampled([{ time: 10 }, { time: 50 }, { time: 51 }]), measured(20, 200, 200), each)).toEqual([
    200, 20, 200,
  ]);
});

test('what was freed since takes its share of what was in memory with it', () => {
  expect(said(exact([{ tick: 1, bytes: 100, count: 1 }]), measured(4, 400, 200))).toEqual([100, 1, 50]);
  const samples = sampled([{ time: 10, released: 60 }, { time: 20 }]);
  expect(said(samples, measured(2, 200, 100), { bytes: 100, count: 1 })).toEqual([100, 1, 50]);
  expect(
    residentRows(exact([]), measured(4, 400, 200), { bytes: new Float64Array(), count: new Float64Array() }).measured
      .length,
  ).toBe(0);
});

test('a trace from before sizes were noted tells its part by the blocks', () => {
  const old = parseResidency('50\n1,3,250\n');
  expect(said(exact([{ tick: 9, bytes: 400, count: 4 }]), old)).toEqual([300, 3, 250]);
});
