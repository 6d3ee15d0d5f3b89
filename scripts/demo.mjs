// Story 1, from the first command to the source line: what a user would type, and what memsurge answers.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.build', 'demo');
const trace = join(folder, 'story1.memsurge');
mkdirSync(folder, { recursive: true });
rmSync(trace, { recursive: true, force: true });

memsurge('run', '-o', trace, '--', join(root, '.build', 'samples', 'story1', 'net10.0', 'story1'));
memsurge('report', trace);
memsurge('top', trace, '--by', 'heap');
memsurge('top', trace, '--type', 'System.Byte[]', '--by', 'function', '--limit', '5');
memsurge('code', trace, 'LoadCustomerAttachments');

function memsurge(...args) {
  const shown = args.map((arg) => (arg.startsWith(root) ? relative(process.cwd(), arg) : arg)).join(' ');
  console.log(`\n$ memsurge ${shown}`);
  const { status } = spawnSync(process.execPath, [join(root, 'bin', 'memsurge.js'), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
