import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from './support/root.ts';

const unable = ['make', 'cc'].find((tool) => spawnSync(tool, ['--version']).status !== 0);

// attach.sh is run by `make -C agent test` alone: it ended in a crash once in several runs (docs/plan.md).
const SCRIPTS = ['core.sh', 'core-tls.sh', 'unwind.sh'].map((name) => `test/${name}`);

test.skipIf(unable !== undefined)(
  `the agent passes its own tests${unable ? ` (needs ${unable})` : ''}`,
  async () => {
    const { stdout } = await promisify(execFile)(
      'make',
      ['--silent', '-C', join(ROOT, 'agent'), 'test', `TEST_SCRIPTS=${SCRIPTS.join(' ')}`],
      {
        maxBuffer: 2 ** 26,
      },
    );
    expect(stdout.match(/^ok {3}/gm)?.length).toBe(SCRIPTS.length);
  },
  600_000,
);
