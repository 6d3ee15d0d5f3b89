import type { Accuracy } from './rows.ts';

/** Standard normal quantile of a two-sided 95 % interval. */
const Z = 1.96;

/** From this many effective samples on the normal interval is used. */
const ENOUGH_SAMPLES = 30;

/**
 * Relative 95 % half-width of an estimate: with `variance` = Σ (1 − 1/count) · bytes² over its rows (Horvitz–Thompson
 * for independent draws, Särndal et al., Model Assisted Survey Sampling, 1992, §3.2), 1.96 · √variance / value.
 *
 * That interval is too narrow for few samples. Below 30 effective samples (value² / variance, Kish 1965) it is the
 * upper half of the Poisson interval by Byar's approximation (Breslow & Day, Statistical Methods in Cancer Research II,
 * 1987, §2.3), the wider half: one sample gives ±456 %, ten give ±84 %.
 *
 * Undefined when the estimate is exact, its error is not known (`variance` NaN), or it is zero.
 */
export function relativeError(value: number, variance: number): number | undefined {
  if (!(variance > 0) || value === 0) return undefined;
  const samples = (value * value) / variance;
  // Below one effective sample only differences (the metric `net`) are possible, which are no Poisson count.
  if (samples >= ENOUGH_SAMPLES || samples < 1 - 1e-9) return Z / Math.sqrt(samples);
  const next = samples + 1;
  const upper = next * (1 - 1 / (9 * next) + Z / (3 * Math.sqrt(next))) ** 3;
  return upper / samples - 1;
}

export function accuracyOf(variance: number): Accuracy {
  if (Number.isNaN(variance)) return 'unknown';
  return variance > 0 ? 'sampled' : 'exact';
}
