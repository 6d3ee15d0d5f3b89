import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from './support/root.ts';

const make = async (target: string, ...variables: string[]): Promise<string> =>
  (
    await promisify(execFile)('make', ['--silent', '-C', join(ROOT, 'agent'), target, ...variables], {
      maxBuffer: 2 ** 26,
      env: { ...process.env, LEDGER_RUNS: '500', LEDGER_SEED: '1000', ATTACH_CYCLES: '1000' },
    })
  ).stdout;

test('the agent passes its own tests in a build that stops at undefined behaviour', async () => {
  expect(
    (await make('checked', 'TEST_SCRIPTS=$(filter-out test/ledger.sh,$(wildcard test/*.sh))')).match(/^ok {3}/gm)
      ?.length,
  ).toBeGreaterThanOrEqual(9);
});

test('500 random programs have what their own books say, each alone, then beside two that take all processors', async () => {
  expect(await make('scripts', 'TEST_SCRIPTS=test/ledger.sh')).toMatch(/^ok {3}/);
  const busy = [0, 1].map(() => execFile('sh', ['-c', 'while :; do :; done']));
  try {
    expect(await make('scripts', 'TEST_SCRIPTS=test/ledger.sh')).toMatch(/^ok {3}/);
  } finally {
    for (const one of busy) one.kill();
  }
});
