import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.ts';

export type Sample = 'story1' | 'mixed' | 'exits' | 'churn' | 'spawner' | 'hello';

/** churn, spawner and hello are built for net10.0 only. */
export type Framework = 'net8.0' | 'net9.0' | 'net10.0';

/**
 * Path of a built sample's executable.
 * @throws Error when it was not built: `node scripts/samples.mjs` builds all.
 */
export function samplePath(sample: Sample, framework: Framework = 'net10.0'): string {
  const path = join(ROOT, '.build', 'samples', sample, framework, sample);
  if (!existsSync(path)) throw new Error(`${path} is missing: run node scripts/samples.mjs`);
  return path;
}
