import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timeOrder } from '../../src/trace/order.ts';

test('rows are ordered by time, and those of one time stay as they were', () => {
  const moment = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 2 ** 52 }), fc.constant(Infinity));
  fc.assert(
    fc.property(fc.array(moment), (times) => {
      const time = Float64Array.from(times);
      const order = timeOrder(time);
      const expected = times.map((_, row) => row).sort((a, b) => (time[a] === time[b] ? a - b : time[a] - time[b]));
      expect(order === undefined ? times.map((_, row) => row) : [...order]).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});
