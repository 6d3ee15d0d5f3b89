import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sortByTime } from '../../../src/read/nettrace/time-order.ts';
import {
  allocationsOf,
  expectedOf,
  FORMATS,
  nameOf,
  readIn,
  STACKS,
  type Tick,
  TYPE_NAMES,
  tickStream,
} from './streams.ts';

const tick: fc.Arbitrary<Tick> = fc.record({
  // Any order, so times go back; far enough for deltas of many bytes.
  time: fc.oneof(
    fc.integer({ min: 0, max: 100 }),
    fc.integer({ min: 0, max: 2 ** 40 }),
    fc.integer({ min: -(10 ** 8), max: 0 }),
  ),
  thread: fc.integer({ min: 1, max: 4 }),
  kind: fc.integer({ min: 0, max: 2 }),
  amount: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  type: fc.integer({ min: 0, max: TYPE_NAMES.length - 1 }),
  size: fc.integer({ min: 0, max: 2 ** 40 }),
  stack: fc.integer({ min: 0, max: STACKS.length }),
});

test.each(FORMATS.map((format) => ({ format, name: nameOf(format) })))(
  'what is written is read: $name',
  ({ format }) => {
    fc.assert(
      fc.property(
        fc.array(tick, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 3000 }),
        (ticks, perBlock, chunk) => {
          const capture = readIn(tickStream(format, ticks, perBlock), chunk);
          expect(capture).toMatchObject({ events: ticks.length, eventsLost: 0, truncated: undefined });
          expect(allocationsOf(capture)).toEqual(expectedOf(ticks));
        },
      ),
      { numRuns: 60 },
    );
  },
);

test('time order is the stable sort', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }), (times) => {
      const expected = times.map((_, i) => i).sort((a, b) => times[a] - times[b] || a - b);
      const sorted = Float64Array.from(times);
      expect([...sortByTime(sorted)]).toEqual(expected);
      expect([...sorted]).toEqual(expected.map((row) => times[row]));
    }),
    { numRuns: 300 },
  );
});
