// Both stories, from the first command to the source line: what a user would type, and what memsurge answers.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.build', 'demo');
mkdirSync(folder, { recursive: true });

const managed = record('story1');
memsurge('report', managed);
memsurge('top', managed, '--by', 'heap');
memsurge('top', managed, '--type', 'System.Byte[]', '--by', 'function', '--limit', '5');
memsurge('code', managed, 'LoadCustomerAttachments');

const native = record('story2', '--native', 'exact');
memsurge('report', native, '--kind', 'native-heap');
memsurge('top', native, '--kind', 'native-heap', '--by', 'function', '--limit', '5');
memsurge('top', native, '--kind', 'native-heap', '--by', 'thread', '--limit', '5');
memsurge('tree', native, '--kind', 'native-heap', '--callers', '--function', 'HeapMalloc1');
memsurge('code', native, 'HeapMalloc1');

console.log(`\nOpen both in the browser: node bin/memsurge.js view ${shown(managed)} ${shown(native)}`);

function shown(path) {
  return relative(process.cwd(), path);
}

function record(story, ...options) {
  const trace = join(folder, `${story}.memsurge`);
  rmSync(trace, { recursive: true, force: true });
  memsurge('run', ...options, '-o', trace, '--', join(root, '.build', 'samples', story, 'net10.0', story));
  return trace;
}

function memsurge(...args) {
  const typed = args.map((arg) => (arg.startsWith(root) ? shown(arg) : arg)).join(' ');
  console.log(`\n$ memsurge ${typed}`);
  const { status } = spawnSync(process.execPath, [join(root, 'bin', 'memsurge.js'), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
