// The whole suite: types, lint, dead code, then the tests. The last line counts them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const run = (command, args) =>
  spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

for (const [command, ...args] of [
  ['tsc', '-p', 'tsconfig.json'],
  ['tsc', '-p', 'bench', '--noEmit'],
  ['tsc', '-p', 'src/viewer'],
  ['biome', 'check', '.'],
  ['knip'],
]) {
  console.log(`> ${command} ${args.join(' ')}`);
  if (run(bin(command), args) !== 0) process.exit(1);
}

const scratch = mkdtempSync(join(tmpdir(), 'memsurge-test-'));
const result = join(scratch, 'result.json');
const status = run(bin('vitest'), [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${result}`,
  ...process.argv.slice(2),
]);
try {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(result, 'utf8'));
  console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
} catch {
  console.log('the tests did not run to their end');
}
rmSync(scratch, { recursive: true, force: true });
process.exit(status);
