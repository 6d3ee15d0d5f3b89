import { expect, test } from 'vitest';
import { createAllocationRows } from '../../../src/read/nettrace/allocation-rows.ts';

type Rows = ReturnType<typeof createAllocationRows>;

/** A row that says of itself in every column when it was. */
const add = (rows: Rows, time: number) => rows.add(time, time % 7, time % 5, time % 11, time % 13, time * 2, time * 3);

function expectRow(found: ReturnType<Rows['finish']>, row: number, time: number): void {
  const { thread, heap, type, stack, objectSize, amount } = found;
  const columns = [found.time, thread, heap, type, stack, objectSize, amount].map((column) => column[row]);
  expect(columns).toEqual([time, time % 7, time % 5, time % 11, time % 13, time * 2, time * 3]);
}

test.each([
  { count: 1000, window: 100 },
  { count: 100_000, window: 1000 },
  { count: 100_000, window: 40_000 },
  { count: 4_300_000, window: 30_000 },
])('$count rows survive that the columns grow, $window at a time', ({ count, window }) => {
  const rows = createAllocationRows();
  for (let from = 0; from < count; from += window) {
    const to = Math.min(count, from + window);
    for (let time = from; time < to; time += 2) add(rows, time);
    for (let time = from + 1; time < to; time += 2) add(rows, time);
    rows.settle();
  }
  const found = rows.finish();
  expect(found.length).toBe(count);
  expect(found.time.length).toBe(count);
  expect(found.time.every((time, row) => time === row)).toBe(true);
  for (let row = 0; row < count; row += Math.ceil(count / 1000)) expectRow(found, row, row);
  expectRow(found, count - 1, count - 1);
});

test('rows that come after what is later than they are put in order too', () => {
  const rows = createAllocationRows();
  for (const time of [10, 30, 20]) add(rows, time);
  rows.settle();
  for (const time of [25, 5]) add(rows, time);
  const found = rows.finish();
  expect([...found.time]).toEqual([5, 10, 20, 25, 30]);
  for (const [row, time] of found.time.entries()) expectRow(found, row, time);
});

test('rows that are cleared leave nothing behind', () => {
  const rows = createAllocationRows();
  for (const time of [10, 20]) add(rows, time);
  rows.settle();
  add(rows, 30);
  rows.clear();
  add(rows, 1);
  expect([...rows.finish().time]).toEqual([1]);
});
