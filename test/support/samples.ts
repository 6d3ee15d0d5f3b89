import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isLong } from './long.ts';
import { ROOT } from './root.ts';

export type Sample =
  | 'story1'
  | 'story2'
  | 'mixed'
  | 'mixture'
  | 'exits'
  | 'churn'
  | 'spawner'
  | 'hello'
  | 'pinvoke-churn'
  | 'frameless';

/** mixture, churn, spawner, hello, pinvoke-churn and frameless are built for net10.0 only. */
export type Framework = 'net8.0' | 'net9.0' | 'net10.0' | 'net11.0';

/** Those that story1, story2, mixed and exits run on; .NET 9, which tells what 8 does, in `npm run test:long`. */
export const FRAMEWORKS: readonly Framework[] = isLong
  ? ['net8.0', 'net9.0', 'net10.0', 'net11.0']
  : ['net8.0', 'net10.0', 'net11.0'];

/** Whether allocations are sampled at random (event 303); older runtimes report every 100 KiB in turn (event 10). */
export const samplesAllocations = (framework: Framework): boolean => !['net8.0', 'net9.0'].includes(framework);

/**
 * Path of a built sample's executable.
 * @throws Error when it was not built: `node scripts/samples.mjs` builds all.
 */
export function samplePath(sample: Sample, framework: Framework = 'net10.0'): string {
  const path = join(ROOT, '.build', 'samples', sample, framework, sample);
  if (!existsSync(path)) throw new Error(`${path} is missing: run node scripts/samples.mjs`);
  return path;
}

export type NativeSample =
  | 'leaks'
  | 'churn'
  | 'endings'
  | 'handover'
  | 'written'
  | 'waits'
  | 'restless'
  | 'racer'
  | 'libheld.so';

/** Path of a sample in C or C++. @throws Error when it was not built, as {@link whyNoNativeSamples} says. */
export function nativeSamplePath(sample: NativeSample): string {
  const path = join(ROOT, '.build', 'samples', 'native', sample);
  if (!existsSync(path)) throw new Error(`${path} is missing: run node scripts/samples.mjs`);
  return path;
}

/** Why the samples in C and C++ are not there, and with them the libraries of those in C#; undefined where they are. */
export function whyNoNativeSamples(): string | undefined {
  const built = existsSync(join(ROOT, '.build', 'samples', 'native', 'leaks'));
  return built ? undefined : 'the native samples are not built: they need make, gcc and g++';
}
