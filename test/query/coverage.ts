import { errorOf, figureOf } from '../../src/query/answer.ts';
import { addRows, type Sums, WIDTH } from '../../src/query/sums.ts';
import { SAMPLING_MEAN_BYTES, weigh } from '../../src/read/weights.ts';
import type { IndexedAllocations } from '../../src/trace/tables.ts';
import type { Unit } from '../../src/trace/view.ts';

/** Objects that a program allocates: `count` of `size` bytes. */
export interface Objects {
  readonly size: number;
  readonly count: number;
}

export type Random = () => number;

/** Numbers in (0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

export const chanceOf = (size: number): number => -Math.expm1(-size / SAMPLING_MEAN_BYTES);

/** Sizes of the objects that the runtime's or the agent's sampling sees: each on its own, with its size's probability. */
function sampled(program: readonly Objects[], random: Random): Float64Array {
  const sizes: number[] = [];
  for (const { size, count } of program) {
    const missed = Math.log1p(-chanceOf(size));
    const gap = () => (missed === Number.NEGATIVE_INFINITY ? 0 : Math.floor(Math.log(random()) / missed));
    for (let i = gap(); i < count; i += 1 + gap()) sizes.push(size);
  }
  return Float64Array.from(sizes);
}

/** Whether the interval that is stated for what was sampled of `program` holds the truth; undefined: nothing was sampled, or none is stated. */
function holdsTruth(program: readonly Objects[], unit: Unit, random: Random): boolean | undefined {
  const objectSize = sampled(program, random);
  const { length } = objectSize;
  if (length === 0) return undefined;
  const weights = weigh('allocation-sampled', { length, objectSize, amount: new Float64Array(length) });
  const table = { ...weights, length, thread: new Int32Array(length) } as unknown as IndexedAllocations;
  const sums: Sums = new Float64Array(2 * WIDTH);
  addRows(sums, new Int32Array(length), { table }, { unit }, 1, 0, length);
  const estimate = figureOf(sums, 1, unit);
  const truth = program.reduce((sum, { size, count }) => sum + (unit === 'bytes' ? size * count : count), 0);
  const error = errorOf(sums, 1, unit);
  if (error === null) return undefined;
  return Math.abs(truth - estimate) <= ((error ?? 0) + 1e-12) * estimate;
}

/** Share of `runs` programs for which the stated interval holds the truth. */
export function coverage(runs: number, unit: Unit, random: Random, program: () => readonly Objects[]): number {
  let stated = 0;
  let held = 0;
  for (let run = 0; run < runs; run++) {
    const holds = holdsTruth(program(), unit, random);
    if (holds === undefined) continue;
    stated++;
    held += Number(holds);
  }
  return held / stated;
}

/** Objects of `size` of which `expected` are sampled on average. */
export const manyOf = (size: number, expected: number): Objects => ({
  size,
  count: Math.max(1, Math.round(expected / chanceOf(size))),
});

/** Up to eight sizes between `least` and `most`, evenly on a logarithmic scale, with about `expected` samples altogether. */
export function mixture(least: number, most: number, expected: number, random: Random): Objects[] {
  const kinds = 1 + Math.floor(random() * 8);
  return Array.from({ length: kinds }, () => {
    const size = Math.round(least * (most / least) ** random());
    return manyOf(size, ((expected * 2) / kinds) * random());
  });
}
