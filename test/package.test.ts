import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTraceFile } from '../src/trace/file.ts';
import { scratchFolder, start } from './support/memsurge.ts';
import { ROOT } from './support/root.ts';
import { samplePath, whyNoNativeSamples } from './support/samples.ts';

const folder = await scratchFolder();
const prefix = join(folder, 'prefix');
const memsurge = (...args: string[]) => start(join(prefix, 'bin', 'memsurge'), args).finished;
const npm = (...args: string[]) =>
  execFileSync('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund', '--silent'], {
    cwd: ROOT,
    encoding: 'utf8',
  });

describe.skipIf(whyNoNativeSamples() !== undefined)('the packed package, installed into an empty prefix', () => {
  beforeAll(() => {
    mkdirSync(prefix);
    // The build is there: `npm test` made it.
    const [{ filename, size }] = JSON.parse(npm('pack', '--ignore-scripts', '--json', '--pack-destination', folder));
    expect(size).toBeLessThan(2e6);
    npm('install', '--global', '--prefix', prefix, join(folder, filename));
  });

  test('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(await memsurge('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  test.each([
    ['story1', ['--size', '10'], [], 'LoadCustomerAttachments'],
    ['story2', [], ['--native', 'exact'], 'HeapMalloc1'],
  ] as const)('%s is recorded with its native memory', async (story, args, options, culprit) => {
    const trace = join(folder, `${story}.memsurge`);
    const alone = await start(samplePath(story), args).finished;
    const { status, stderr } = await memsurge('run', ...options, '-o', trace, '--', samplePath(story), ...args);
    expect(status).toBe(alone.status);
    expect(stderr.replace(alone.stderr, '')).toMatch(/^memsurge: wrote [^\n]*\n$/);
    const { manifest } = await openTraceFile(trace);
    expect(manifest.warnings).toEqual([]);
    expect(manifest.processes[0].native).toHaveLength(1);
    const report = await memsurge('report', trace);
    expect(report.stdout).toMatch(new RegExp(`Function: .*${culprit}`));
    expect(report.stdout).toContain('of the native heap never released');
  });
});

test('what is not built, or not whole, says what to do', async () => {
  const clone = join(folder, 'clone');
  mkdirSync(join(clone, 'bin'), { recursive: true });
  cpSync(join(ROOT, 'bin', 'memsurge.js'), join(clone, 'bin', 'memsurge.js'));
  cpSync(join(ROOT, 'package.json'), join(clone, 'package.json'));
  const ask = () => start(process.execPath, [join(clone, 'bin', 'memsurge.js'), '--version']).finished;
  const advice = `memsurge: not built yet, or not whole: run "npm run setup" in ${clone}\n`;
  expect(await ask()).toMatchObject({ status: 2, stdout: '', stderr: advice });
  // Built, but without the packages it needs.
  cpSync(join(ROOT, 'dist'), join(clone, 'dist'), { recursive: true });
  expect(await ask()).toMatchObject({ status: 2, stdout: '', stderr: advice });
});

test('an installation without the agent records managed memory, and refuses native before the program starts', async () => {
  const clone = join(folder, 'no-agent');
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(ROOT, part), join(clone, part), { recursive: true, filter: (path) => !path.includes('/dist/agent') });
  }
  execFileSync('ln', ['-s', join(ROOT, 'node_modules'), clone]);
  const run = (...args: string[]) =>
    start(process.execPath, [join(clone, 'bin', 'memsurge.js'), 'run', ...args]).finished;
  const why = 'the native agent was not built: install make and a C compiler, then "npm run setup"';
  const refused = await run('--native', 'exact', '-o', join(folder, 'refused'), '--', 'echo', 'started');
  expect(refused).toMatchObject({ status: 2, stdout: '', stderr: `memsurge: ${why}; use --native off\n` });
  const trace = join(folder, 'managed.memsurge');
  const managed = await run('-o', trace, '--', samplePath('hello'));
  expect(managed.status).toBe(0);
  expect(managed.stderr).toContain(`memsurge: ${why}: only managed memory is recorded\n`);
  expect((await openTraceFile(trace)).manifest.processes[0].streams).not.toEqual([]);
});

test('nothing in dist is a link: npm leaves links out of a package', () => {
  const links = readdirSync(join(ROOT, 'dist'), { recursive: true, withFileTypes: true }).filter((one) =>
    one.isSymbolicLink(),
  );
  expect(links).toEqual([]);
  for (const lib of ['lib', 'lib64', 'lib/x86_64-linux-gnu', 'x86_64-linux-gnu']) {
    expect(statSync(join(ROOT, 'dist/agent/preload', lib, 'libmemsurge.so')).size).toBeGreaterThan(10_000);
  }
});
