import type { AllocationSource } from '../trace/tables.ts';

/**
 * Mean bytes between samples of the runtime's randomized sampling and the stride of its ticks: 100 KiB for both
 * (dotnet/runtime docs/design/features/RandomizedAllocationSampling.md; `allocation_tick` in gc.cpp).
 */
export const SAMPLING_MEAN_BYTES = 102_400;

/**
 * Bytes that one recorded allocation stands for.
 * Randomized sampling picks every byte with probability 1/mean, so an object of s bytes is recorded with
 * p = 1 − exp(−s/mean) and weighs s/p (Horvitz–Thompson). A tick states the bytes since the last one itself.
 */
export function weightBytes(source: AllocationSource, objectSize: number, amount: number): number {
  return source === 'allocation-sampled' ? objectSize * weightCount(source, objectSize, amount) : amount;
}

/** Objects that one recorded allocation stands for: 1/p, never below 1. */
export function weightCount(source: AllocationSource, objectSize: number, amount: number): number {
  if (objectSize <= 0) return 1;
  if (source === 'allocation-sampled') return 1 / -Math.expm1(-objectSize / SAMPLING_MEAN_BYTES);
  if (source === 'allocation-tick') return Math.max(1, amount / objectSize);
  return 1;
}
