// Everything a fresh clone needs, each step skipped when it is up to date:
// dependencies, the build of memsurge and of its native agent, with --samples the sample programs, with --judges the peers,
// the browser and the tools that tests need. With --whole, for packing, it fails where the agent cannot be built.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
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
if (process.argv.includes('--judges')) (await import('./judges.mjs')).installDebianPackages();
const agent = join(root, 'dist', 'agent');
step(
  'agent',
  ['agent/src', 'agent/inject', 'agent/Makefile', 'scripts/setup.mjs'],
  join(agent, 'preload', LIB[0], 'libmemsurge.so'),
  () => {
    try {
      execFileSync('make', ['--silent', `-j${availableParallelism()}`, '-C', join(root, 'agent')], {
        stdio: ['ignore', 2, 2],
      });
    } catch (error) {
      const why = error.code === 'ENOENT' ? 'make is not installed' : 'make failed, see above';
      console.error(`setup: the native agent was not built (${why}): only managed memory can be recorded.`);
      return false;
    }
    rmSync(agent, { recursive: true, force: true });
    for (const name of ['libmemsurge.so', 'libmemsurge-tls.so', 'memsurge-inject'])
      installLibrary(name, join(agent, name));
    // Files, not links: npm puts no links into a package.
    for (const lib of LIB) installLibrary('libmemsurge.so', join(agent, 'preload', lib, 'libmemsurge.so'));
    return true;
  },
);
if (process.argv.includes('--whole') && !existsSync(join(agent, 'libmemsurge.so'))) {
  console.error('setup: a package without the native agent is not whole; install make and gcc, and try again.');
  process.exit(2);
}
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

/** Copies a library of the build without its debug information, which is four fifths of it. */
function installLibrary(name, target) {
  const built = join(root, '.build', 'agent', name);
  mkdirSync(dirname(target), { recursive: true });
  const { status } = spawnSync('strip', ['--strip-debug', '-o', target, built], { stdio: 'ignore' });
  if (status !== 0) copyFileSync(built, target);
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
