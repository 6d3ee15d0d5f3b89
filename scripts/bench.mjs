// node scripts/bench.mjs NAME [ARGUMENTS]: builds memsurge, the samples, the peers and bench/NAME.ts, and runs it.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));

if (!names.includes(name)) {
  console.error(`usage: node scripts/bench.mjs ${names.join('|')}`);
  process.exit(2);
}
run(join(root, 'scripts', 'setup.mjs'), '--samples', '--judges');
run(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'bench/tsconfig.json');
run(join(root, '.build', 'bench', 'bench', `${name}.bench.js`), ...args);

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
