import { expect, test } from 'vitest';
import { nativeBlindSpots } from '../../../src/read/agent/blind-spots.ts';
import type { AgentCapture, AgentLosses } from '../../../src/read/agent/capture.ts';

const NO_LOSSES: AgentLosses = {
  droppedCount: 0,
  droppedBytes: 0,
  stacklessCount: 0,
  unknownFreedCount: 0,
  missedFreeCount: 0,
  skippedCount: 0,
};

const spotsOf = (losses: Partial<AgentLosses>, rest: Partial<AgentCapture> = {}) =>
  nativeBlindSpots(
    {
      mode: 'exact',
      start: 'preload',
      shadowed: false,
      strangers: { count: 0, last: { path: '', why: '' } },
      losses: { ...NO_LOSSES, ...losses },
      sites: { length: 10, broken: 0 },
      samples: { meanBytes: new Float64Array(0) },
      ...rest,
    } as AgentCapture,
    1e9,
  ).map(({ effect, text }) => [effect, text]);

test('whatever the agent counted against its own figures is said, and makes them inexact', () => {
  expect(spotsOf({})).toEqual([]);
  for (const name of ['droppedCount', 'missedFreeCount', 'skippedCount', 'unknownFreedCount'] as const) {
    expect(spotsOf({ [name]: 12 }), name).toEqual([['inexact', expect.stringContaining('12')]]);
  }
});

test('blocks from before the agent are released without harm to its figures', () => {
  expect(spotsOf({ unknownFreedCount: 3 }, { start: 'attach' })).toEqual([['note', expect.stringContaining('before')]]);
  expect(spotsOf({ unknownFreedCount: 3 }, { start: 'fork' })).toEqual([['note', expect.stringContaining('parent')]]);
});

test('an allocator before ours leaves the native heap unrecorded', () => {
  expect(spotsOf({}, { shadowed: true })).toEqual([['absent', expect.stringContaining('another allocator')]]);
});

test('what it became, or started, without the agent', () => {
  const stranger = { path: '/bin/other', why: 'it is linked statically' };
  expect(spotsOf({}, { became: { ...stranger, time: 3.5e9 } })).toEqual([
    ['absent', 'native memory was not recorded since its exec of /bin/other at 2.50 s: it is linked statically'],
  ]);
  expect(spotsOf({}, { strangers: { count: 2, last: stranger } })).toEqual([
    ['note', 'it started 2 processes that are in no native figure; the last was /bin/other: it is linked statically'],
  ]);
});
