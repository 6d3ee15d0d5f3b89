import type { AllocationSource, NativeSource } from '../trace/tables.ts';
import { formatCount, formatShare } from './figures.ts';

const MANAGED_SOURCES: Record<AllocationSource, string> = {
  exact: 'exact: every allocation was seen',
  'allocation-sampled': 'sampled at random: unbiased, each figure has its error',
  'allocation-tick': 'sampled about every 100 KiB in turn: no error is known',
  'allocation-tick-without-size': 'sampled about every 100 KiB, without sizes: no error is known',
  none: 'not recorded',
};

/** How a process's managed memory was recorded, and what its figures are worth. */
export function managedSourceText({
  allocationSource,
  errorUnknown,
}: {
  readonly allocationSource: AllocationSource;
  readonly errorUnknown: boolean;
}): string {
  const lost = 'but events were lost: figures are too low, nobody can tell how far';
  if (errorUnknown && allocationSource === 'exact') return `every allocation was asked for, ${lost}`;
  if (errorUnknown && allocationSource === 'allocation-sampled') return `sampled at random, ${lost}`;
  return MANAGED_SOURCES[allocationSource];
}

/** The same of its native memory. */
export const NATIVE_SOURCES: Record<NativeSource, string> = {
  exact: 'exact: every allocation was counted; no event times',
  sampled: 'sampled at random by bytes: unbiased, each figure has its error',
  none: 'not recorded',
};

/** "1.20 k, 97.0 % of them with a name" */
export function framesText(frames: number, unresolved: number): string {
  if (frames === 0) return 'none';
  return `${formatCount(frames)}, ${formatShare((frames - unresolved) / frames)} of them with a name`;
}
