import type { AllocationSource } from '../trace/tables.ts';
import type { RawAllocations } from './nettrace/capture.ts';

/**
 * Mean bytes between samples of the runtime's randomized sampling and the stride of its ticks: 100 KiB for both
 * (dotnet/runtime docs/design/features/RandomizedAllocationSampling.md; `allocation_tick` in gc.cpp).
 */
export const SAMPLING_MEAN_BYTES = 102_400;

/** What recorded allocations stand for, row by row: estimated bytes, and objects (never below 1). */
export interface Weights {
  readonly bytes: Float64Array;
  readonly count: Float64Array;
}

type Sizes = Pick<RawAllocations, 'length' | 'objectSize' | 'amount'>;

/** Probability that an object of `size` bytes is sampled: 1 − exp(−size / mean), Poisson sampling by bytes. */
export const chanceOf = (size: number, meanBytes: number): number => -Math.expm1(-size / meanBytes);

/**
 * Objects that one stands for which was sampled with probability `chance`. Never 1 alone, however large it is: that is what
 * exact rows say, and beside a sampled one may have been small ones of which none was seen.
 */
export const countOf = (chance: number): number => Math.max(1 / chance, 1 + Number.EPSILON);

/**
 * The weights of allocations, written in the place of their sizes: of a large trace, new columns would cost more than the
 * arithmetic.
 *
 * Randomized sampling picks every byte with probability 1/mean, so an object of s bytes is recorded with
 * p = 1 − exp(−s/mean): it stands for 1/p objects and s/p bytes (Horvitz–Thompson). A tick states the bytes since the
 * last one itself, in objects of the size it saw. An exact event, and a tick without a size, count as one.
 */
export function weigh(source: AllocationSource, { length, objectSize, amount }: Sizes): Weights {
  const bytes = amount;
  const count = objectSize;
  if (source === 'allocation-sampled') {
    for (let i = 0; i < length; i++) {
      const size = objectSize[i];
      const chance = size > 0 ? chanceOf(size, SAMPLING_MEAN_BYTES) : 1;
      count[i] = countOf(chance);
      bytes[i] = size / chance;
    }
  } else if (source === 'allocation-tick') {
    for (let i = 0; i < length; i++) count[i] = objectSize[i] > 0 ? Math.max(1, amount[i] / objectSize[i]) : 1;
  } else {
    count.fill(1);
  }
  return { bytes, count };
}
