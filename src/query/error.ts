import { gammaDistribution } from './gamma.ts';
import type { Accuracy } from './rows.ts';

/** Standard normal quantile of a two-sided 95 % interval, and what lies outside of such an interval. */
const Z = 1.96;
const OUTSIDE = 0.05;

/** From this shape on the gamma distribution is taken as normal. */
const NORMAL_SHAPE = 200;
/** Of so few objects missing on average, none is missing 95 times of 100: −ln(1 − OUTSIDE). */
const NONE_MISSING = -Math.log(1 - OUTSIDE);
/**
 * Numbers of objects have an error from so many samples on: small ones, of which a sample would stand for thousands, may be
 * there without one of them being seen.
 */
export const LEAST_SAMPLES_TO_COUNT = 30;
/** How near the half-width is found, as a part of itself. */
const TOLERANCE = 5e-4;

/** A sum of sampled rows that were drawn independently, each with probability 1/count. */
export interface Estimate {
  readonly value: number;
  /** Σ (1 − 1/count) · value², NaN when it is not known. */
  readonly variance: number;
  /** Σ (1 − 1/count) · value: what rows stand for beside themselves. Infinity when rows were subtracted. */
  readonly unseen: number;
  readonly rows: number;
}

/**
 * Relative 95 % half-width of an estimate: the least that leaves 5 % for the truth to be further away, on both sides
 * together. What was seen is certain; only the unseen rest is uncertain, and never negative.
 *
 * The rest is gamma-distributed with its mean and variance, as a Poisson count is by duality (Garwood 1936; for weighted
 * counts Fay, Feuer, Confidence intervals for directly standardized rates, Statistics in Medicine 16, 1997), with one
 * sample more for the upper limit, and halfway between both for counts that are whole numbers (mid-p: Fay, Kim,
 * Biometrical Journal 59, 2017). Where objects were likely to be seen, one sample more is only as much as is unseen of one,
 * and half an object is added to either side, since whole objects are missing; where it is likely that none is, what was
 * seen is all. From 200 unseen samples on the interval is
 * normal: 1.96 · √variance.
 *
 * Undefined when the estimate is exact, its error is not known (`variance` NaN), or it is zero.
 */
export function relativeError({ value, variance, unseen, rows }: Estimate): number | undefined {
  if (!(variance > 0) || value === 0) return undefined;
  const normal = (Z * Math.sqrt(variance)) / Math.abs(value);
  // A difference is no count.
  if (unseen === Number.POSITIVE_INFINITY) return normal;
  const shape = (unseen * unseen) / variance;
  if (shape > NORMAL_SHAPE) return normal;
  if (shape < NONE_MISSING) return unseen / value;

  const scale = variance / unseen;
  const unseenOfOne = Math.min(1, Math.max(unseen / value, shape / rows));
  const half = (1 - unseenOfOne) / 2;
  const below = (x: number) => (gammaDistribution(shape, x) + gammaDistribution(shape + unseenOfOne, x)) / 2;
  const outside = (error: number) =>
    1 - below((unseen + error * value) / scale - half) + below((unseen - error * value) / scale + half);
  return root(outside, normal);
}

/** Where the falling function `outside` reaches {@link OUTSIDE}; `guess` is of its order. */
function root(outside: (error: number) => number, guess: number): number {
  let low = 0;
  let high = guess;
  while (outside(high) > OUTSIDE) {
    low = high;
    high *= 2;
  }
  while (high - low > TOLERANCE * high) {
    const middle = (low + high) / 2;
    if (outside(middle) > OUTSIDE) low = middle;
    else high = middle;
  }
  return high;
}

export function accuracyOf(variance: number): Accuracy {
  if (Number.isNaN(variance)) return 'unknown';
  return variance > 0 ? 'sampled' : 'exact';
}
