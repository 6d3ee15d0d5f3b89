import { expect, test } from 'vitest';
import { chanceOf, coverage, manyOf, mixture, type Objects, seeded } from './coverage.ts';

// The figures of docs/accuracy.md.

const RUNS = 2_000;
const SIZES = [24, 100, 1_000, 4_000, 10_000, 30_000, 60_000, 100_000, 250_000];
const MIXTURES = [
  [16, 2_000],
  [16, 100_000],
  [1_000, 1_000_000],
  [30_000, 3_000_000],
] as const;

function over(
  what: string,
  cells: readonly (() => readonly Objects[])[],
  unit: 'bytes' | 'count',
  seed: number,
): number {
  const random = seeded(seed);
  const each = cells.map((program) => coverage(RUNS, unit, random, program));
  const held = each.reduce((sum, one) => sum + one, 0) / each.length;
  console.log(
    `${what}: ${unit}: ${(100 * held).toFixed(1)} % of ${RUNS * cells.length}, cells from ${(100 * Math.min(...each)).toFixed(1)} %`,
  );
  return held;
}

const mixtures = (expected: readonly number[], seed: number) => {
  const random = seeded(seed);
  return MIXTURES.flatMap(([least, most]) => expected.map((one) => () => mixture(least, most, one, random)));
};

test.for([
  ['bytes', [5, 8, 12, 20, 40, 100, 300, 1_000]],
  ['count', [40, 70, 100, 300, 1_000]],
] as const)('objects of one size: %s', ([unit, samples]) => {
  const cells = SIZES.flatMap((size) => samples.map((one) => () => [manyOf(size, one)]));
  const held = over('one size', cells, unit, 11);
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.96);
});

test('mixed sizes: bytes', () => {
  const held = over('mixed', mixtures([5, 10, 20, 50, 100, 300], 12), 'bytes', 13);
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.965);
});

test('mixed sizes: objects', () => {
  expect(over('mixed, 50 to 300 samples', mixtures([50, 100, 300], 14), 'count', 15)).toBeGreaterThan(0.93);
});

test('one to three samples', () => {
  const sizes = SIZES.filter((size) => chanceOf(size) < 0.5);
  const cells = sizes.flatMap((size) => [1, 2, 3].map((one) => () => [manyOf(size, one)]));
  expect(over('one to three samples', cells, 'bytes', 18)).toBeGreaterThan(0.95);
});
