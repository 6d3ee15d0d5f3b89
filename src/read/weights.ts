import type { AllocationSource } from '../trace/tables.ts';
import type { AllocationPart } from './nettrace/capture.ts';

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

type Sizes = Pick<AllocationPart, 'length' | 'objectSize' | 'amount'>;

/**
 * Writes the weights of a part's rows to the rows of `into` from `at` on.
 *
 * Randomized sampling picks every byte with probability 1/mean, so an object of s bytes is recorded with
 * p = 1 − exp(−s/mean): it stands for 1/p objects and s/p bytes (Horvitz–Thompson). A tick states the bytes since the
 * last one itself, in objects of the size it saw. An exact event, and a tick without a size, count as one.
 */
export function weigh(source: AllocationSource, part: Sizes, into: Weights, at: number): void {
  const { length, objectSize, amount } = part;
  const { bytes, count } = into;
  bytes.set(amount, at);
  count.fill(1, at, at + length);
  if (source === 'allocation-sampled') {
    for (let i = 0; i < length; i++) {
      if (objectSize[i] > 0) count[at + i] = 1 / -Math.expm1(-objectSize[i] / SAMPLING_MEAN_BYTES);
      bytes[at + i] = objectSize[i] * count[at + i];
    }
  } else if (source === 'allocation-tick') {
    for (let i = 0; i < length; i++) {
      if (objectSize[i] > 0) count[at + i] = Math.max(1, amount[i] / objectSize[i]);
    }
  }
}
