import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from './support/root.ts';

const unable = ['make', 'cc'].find((tool) => spawnSync(tool, ['--version']).status !== 0);

test.skipIf(unable !== undefined)(
  `the agent passes its own tests${unable ? ` (needs ${unable})` : ''}`,
  async () => {
    const { stdout } = await promisify(execFile)('make', ['--silent', '-j2', '-C', join(ROOT, 'agent'), 'test'], {
      maxBuffer: 2 ** 26,
    });
    expect(stdout.match(/^ok {3}/gm)?.length).toBeGreaterThanOrEqual(10);
  },
  1_200_000,
);
