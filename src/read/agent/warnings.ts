import { plural } from '../../trace/plural.ts';
import type { AgentCapture } from './capture.ts';

/** What the reader of native figures must know: losses and blind spots, as sentences. */
export function nativeWarnings({
  attached,
  shadowed,
  sandboxed,
  losses,
  sites,
  mode,
  samples,
}: AgentCapture): string[] {
  const warnings: string[] = [];
  if (shadowed) {
    warnings.push('another allocator comes before ours (static or first in LD_PRELOAD): its allocations were not seen');
  }
  if (losses.droppedCount > 0) {
    const what = `${losses.droppedCount} ${plural(losses.droppedCount, 'block')} of ${losses.droppedBytes} ${plural(losses.droppedBytes, 'byte')}`;
    const why = sandboxed ? ' (the program gave up the system calls for that: seccomp)' : '';
    warnings.push(
      `the agent's file could not grow${why}, so ${what} ${plural(losses.droppedCount, 'is', 'are')} missing: native figures are too low`,
    );
  }
  if (attached && losses.unknownFreedCount > 0) {
    warnings.push(
      `${losses.unknownFreedCount} native ${plural(losses.unknownFreedCount, 'block')} from before the recording ${plural(losses.unknownFreedCount, 'was', 'were')} released since, and in no figure`,
    );
  }
  if (losses.stacklessCount > 0) {
    warnings.push(
      `${losses.stacklessCount} native ${plural(losses.stacklessCount, 'allocation has', 'allocations have')} no stack and ${plural(losses.stacklessCount, 'counts under its', 'count under their')} thread`,
    );
  }
  const share = sites.broken / Math.max(1, sites.length);
  if (share > 0.01)
    warnings.push(`${(share * 100).toFixed(1)} % of the native stacks do not reach their thread's root`);
  if (mode === 'sampled' && samples.length > 0) {
    const means = new Set(samples.meanBytes);
    if (means.size > 1)
      warnings.push('native sampling was thinned out as the recording grew; the error stated takes account of it');
  }
  return warnings;
}
