// Everything a fresh clone needs, each step skipped when it is up to date:
// dependencies, the build of memsurge and of its native agent, with --samples the sample programs, with --judges the peers
// and the browser that tests need.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamps = join(root, '.build', 'stamps');

/** What glibc puts for $LIB: upstream and Fedora, Arch and Nix, Debian, Flatpak. */
const LIB = ['lib64', 'lib', 'lib/x86_64-linux-gnu', 'x86_64-linux-gnu'];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`memsurge needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(2);
}

step('dependencies', ['package-lock.json'], join(root, 'node_modules'), () => {
  // Not `npm ci`: it refuses the lock where a registry lacks some other platform's optional binaries.
  npm('install', '--no-save', '--no-audit', '--no-fund');
});
step(
  'memsurge',
  ['src', 'tsconfig.json', 'tsconfig.build.json', 'scripts/viewer.mjs'],
  join(root, 'dist', 'cli', 'main.js'),
  () => {
    npm('run', '--silent', 'build');
  },
);
step(
  'agent',
  ['agent/src', 'agent/Makefile', 'scripts/setup.mjs'],
  join(root, 'dist', 'agent', 'libmemsurge.so'),
  () => {
    try {
      execFileSync('make', ['--silent', '-C', join(root, 'agent')], { stdio: ['ignore', 2, 2] });
    } catch (error) {
      const why = error.code === 'ENOENT' ? 'make is not installed' : 'make failed, see above';
      console.error(`setup: the native agent was not built (${why}): only managed memory can be recorded.`);
      return false;
    }
    const target = join(root, 'dist', 'agent');
    mkdirSync(target, { recursive: true });
    for (const name of ['libmemsurge.so', 'libmemsurge-tls.so']) {
      copyFileSync(join(root, '.build', 'agent', name), join(target, name));
    }
    linkForPreload(target);
    return true;
  },
);
try {
  if (process.argv.includes('--samples')) await (await import('./samples.mjs')).buildSamples();
  if (process.argv.includes('--judges')) {
    (await import('./chromium.mjs')).installChromium();
    await (await import('./judges.mjs')).buildJudges();
  }
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exit(2);
}

/** Links to the agent, one for each $LIB: the same file for the loader, whatever path it came by. */
function linkForPreload(target) {
  const preload = join(target, 'preload');
  rmSync(preload, { recursive: true, force: true });
  for (const lib of LIB) {
    mkdirSync(join(preload, lib), { recursive: true });
    symlinkSync(relative(join(preload, lib), join(target, 'libmemsurge.so')), join(preload, lib, 'libmemsurge.so'));
  }
}

/** Runs `work` unless `result` exists and was made from the same `inputs`; work that says false is tried again next time. */
function step(name, inputs, result, work) {
  const stamp = join(stamps, name);
  const hash = createHash('sha256');
  for (const input of inputs) hashInto(hash, join(root, input));
  const current = hash.digest('hex');
  if (existsSync(result) && existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return;
  console.error(`setup: ${name} …`);
  if (work() === false) return;
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, current);
}

function hashInto(hash, path) {
  let names;
  try {
    names = readdirSync(path).sort();
  } catch {
    hash.update(path.slice(root.length)).update(readFileSync(path));
    return;
  }
  for (const name of names) hashInto(hash, join(path, name));
}

function npm(...args) {
  try {
    execFileSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  } catch {
    console.error(`setup: "npm ${args.join(' ')}" failed; see above.`);
    process.exit(2);
  }
}
