import { expect, test } from 'vitest';
import { coverage, manyOf, mixture, type Objects, seeded } from './coverage.ts';

// 95 % of the intervals hold the truth: programs and draws are simulated, weights, sums and errors are the product's own.
// A part of objects that are seen or not comes in steps: where few samples are drawn, or few objects missed, no interval has
// just 95 %, so that these are compared together. coverage.long.test.ts does the same over a finer grid.

const RUNS = 400;
const SIZES = [24, 1_000, 10_000, 30_000, 100_000];
const MIXTURES = [
  [16, 2_000],
  [16, 100_000],
  [1_000, 1_000_000],
  [30_000, 3_000_000],
] as const;

/** Coverage of all cells of a grid together; none may be far off by itself. */
function over(cells: readonly (() => readonly Objects[])[], unit: 'bytes' | 'count', seed: number): number {
  const random = seeded(seed);
  const each = cells.map((program) => coverage(RUNS, unit, random, program));
  // 400 runs at 95 %: standard deviation 1.1 %.
  expect(Math.min(...each)).toBeGreaterThan(0.9);
  return each.reduce((sum, one) => sum + one, 0) / each.length;
}

// Of fewer objects that were sampled no error of their number is stated.
test.for([
  ['bytes', [5, 8, 12, 20, 40, 100, 300, 1_000]],
  ['count', [40, 70, 100, 300, 1_000]],
] as const)('objects of one size, up to 1,000 samples: %s', ([unit, samples]) => {
  const cells = SIZES.flatMap((size) => samples.map((expected) => () => [manyOf(size, expected)]));
  const held = over(cells, unit, 1);
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.965);
});

test('objects of mixed sizes, 5 to 300 samples: bytes', () => {
  const random = seeded(2);
  const cells = MIXTURES.flatMap(([least, most]) =>
    [5, 10, 20, 50, 100, 300].map((expected) => () => mixture(least, most, expected, random)),
  );
  const held = over(cells, 'bytes', 3);
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.965);
});

test('one large array, which is surely seen, beside few samples', () => {
  const program = () => [{ size: 100_000_000, count: 1 }, manyOf(500, 6)];
  const held = coverage(2_000, 'bytes', seeded(4), program);
  expect(held).toBeGreaterThan(0.93);
  expect(held).toBeLessThan(0.98);
});

test('one to three samples: never too narrow', () => {
  const cells = SIZES.flatMap((size) => [1, 2, 3].map((expected) => () => [manyOf(size, expected)]));
  expect(over(cells, 'bytes', 5)).toBeGreaterThan(0.95);
});
