import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readNettrace } from '../../src/read/nettrace/index.ts';
import { processInfo } from '../../src/record/diagnostics/commands.ts';
import { endpointConnect, findEndpoint } from '../../src/record/diagnostics/endpoint.ts';
import { createRecordingFolder } from '../../src/record/folder.ts';
import { startProcSampler } from '../../src/record/proc-sampler.ts';
import { recordRuntime } from '../../src/record/runtime-recorder.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';
import {
  AS_NOBODY,
  compiledNames,
  countOf,
  nobodyMayUse,
  openRecording,
  processesWith,
  streamsOf,
  whyNoNamespaces,
} from './support.ts';

const folder = await scratchFolder();
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');

test('a program that starts another: both are recorded from their first moment', async () => {
  const output = join(folder, 'two.memsurge');
  const { status, stdout } = await memsurge('run', '-o', output, '--', samplePath('spawner'));
  expect([status, stdout]).toEqual([0, 'child done\nparent done\n']);
  const file = await openTraceFile(output);
  const [parent, child] = file.manifest.processes;
  expect(file.manifest.processes).toHaveLength(2);
  expect(child.parentPid).toBe(parent.pid);
  expect(child.commandLine).toMatch(/spawner child$/);
  expect(child.endTime).toBeLessThan(parent.endTime!);
  expect(parent.exit).toBe('exit code 0');
  // 200 MB and 100 MB at one sample per 100 KiB.
  expect(countOf((await streamsOf(file, 0)).get(''), 303)).toBeGreaterThan(1500);
  expect(countOf((await streamsOf(file, 1)).get(''), 303)).toBeGreaterThan(700);
});

test('below a shell too, with the names of what was compiled before', async () => {
  const output = join(folder, 'shell.memsurge');
  const script = `${samplePath('spawner')} wait; exit 4`;
  const { child: recorder, finished, output: printed } = startMemsurge('run', '-o', output, '--', 'sh', '-c', script);
  await until(() => printed().includes('parent ready'));
  // The shell's grandchild does not wait for the recorder: it compiles while that can do nothing.
  recorder.kill('SIGSTOP');
  recorder.stdin?.write('start the child\n');
  await until(() => printed().includes('child ready'));
  recorder.kill('SIGCONT');
  await until(async () => (await openRecording(output)).manifest.processes[2]?.streams.length === 3);
  recorder.stdin?.write('end\n');
  expect((await finished).status).toBe(4);
  const file = await openTraceFile(output);
  expect(file.manifest.processes.map((process) => process.name)).toEqual(['sh', 'spawner', 'spawner']);
  expect([...(await streamsOf(file, 1)).keys()]).toEqual(['', '-symbols']);
  const child = await streamsOf(file, 2);
  expect([...child.keys()]).toEqual(['-rundown', '', '-symbols']);
  expect(countOf(child.get('-rundown'), 144)).toBeGreaterThan(10);
  expect(compiledNames(child.get('-rundown'))).toContain('AllocateInChild');
});

// Of the four commands that begin it, the last two: the main session runs by then.
test.each([3, 4])('a process that ends before command %i of its recording leaves its names', async (last) => {
  const { child, finished, output: printed } = start(samplePath('spawner'), ['child', 'wait']);
  await until(() => printed().includes('child ready'));
  const endpoint = endpointConnect(await findEndpoint(child.pid!));
  const info = await processInfo(endpoint);
  const recording = await createRecordingFolder(join(folder, `ends-${last}`), {
    tool: '',
    mode: 'attach',
    command: [],
  });
  const sampler = startProcSampler(recording);
  let commands = 0;
  const connect = async () => {
    if (++commands === last) {
      child.stdin?.write('end\n');
      await finished;
    }
    return endpoint();
  };
  const facts = { pid: child.pid!, parentPid: process.pid, command: [], info };
  await recordRuntime(recording, sampler, connect, facts, { compiledBefore: true }).catch(() => {});
  sampler.close();
  await recording.finish();
  const [main, names] = ['', '-rundown'].map((suffix) => `streams/${child.pid}${suffix}.nettrace`);
  expect(recording.manifest.processes[0].streams).toEqual(expect.arrayContaining([main, names]));
  const rundown = await readNettrace((await openTraceFile(recording.path)).stream(names));
  expect(rundown?.truncated).toBeUndefined();
  expect(compiledNames(rundown)).toContain('AllocateInChild');
});

test('dotnet run, and a build with a compiler server that stays', async () => {
  const project = join(folder, 'app');
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  const make = spawnSync('dotnet', ['new', 'console', '-o', project], { encoding: 'utf8' });
  expect(make.status, make.stdout + make.stderr).toBe(0);

  // Its own TMPDIR: a compiler server of its own, that no other build on this machine uses.
  const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: temporary, UseSharedCompilation: 'true' };
  const output = join(folder, 'run.memsurge');
  const args = [BIN, 'run', '-o', output, '--', 'dotnet', 'run', '--project', project];
  const { status, stdout } = await start(process.execPath, args, env).finished;
  expect([status, stdout]).toEqual([0, 'Hello, World!\n']);
  const { manifest } = await openTraceFile(output);
  const names = manifest.processes.map((process) => process.name);
  expect(names[0]).toBe('dotnet');
  expect(names).toContain('app');
  expect(names).toContain('VBCSCompiler');
  const server = manifest.processes.find((process) => process.name === 'VBCSCompiler')!;
  expect(server.exit).toBe('still running when the recording stopped');

  // The server goes on without us, and the guardian does not stay for it.
  try {
    const script = join(project, 'Program.cs');
    spawnSync('sh', ['-c', `echo 'Console.WriteLine("changed");' > ${script}`]);
    const again = spawnSync('dotnet', ['run', '--project', project], { env, encoding: 'utf8' });
    expect(again.stdout).toBe('changed\n');
    process.kill(server.pid, 0);
    await until(() => processesWith(join(temporary, 'memsurge-')).length === 0, 20);
  } finally {
    process.kill(server.pid, 'SIGKILL');
  }
});

test.skipIf(!nobodyMayUse(samplePath('spawner')))('a program that goes on as another user (needs root)', async () => {
  const output = join(folder, 'nobody.memsurge');
  const { status, stdout } = await memsurge('run', '-o', output, '--', ...AS_NOBODY, samplePath('spawner'));
  expect([status, stdout]).toEqual([0, 'child done\nparent done\n']);
  const { manifest } = await openTraceFile(output);
  expect(manifest.processes.map((process) => process.name)).toEqual(['spawner', 'spawner']);
});

test.skipIf(whyNoNamespaces() !== undefined)(
  'a program that cannot see our port, in a mount namespace (needs root)',
  async () => {
    const output = join(folder, 'hidden.memsurge');
    const hide = ['unshare', '--mount', 'sh', '-c', `mount -t tmpfs none $TMPDIR && ${samplePath('spawner')}`];
    const env = { ...process.env, TMPDIR: join(folder, 'hidden') };
    await mkdir(env.TMPDIR);
    const run = start(process.execPath, [BIN, 'run', '-o', output, '--', ...hide], env);
    const { status, stdout } = await run.finished;
    expect([status, stdout]).toEqual([0, 'child done\nparent done\n']);
    const { manifest } = await openTraceFile(output);
    expect(manifest.processes.map((process) => process.name)).toContain('spawner');
  },
);

test('the diagnostics port of somebody else keeps its place beside ours', async () => {
  const env = { ...process.env, DOTNET_DiagnosticPorts: `${join(folder, 'theirs')},nosuspend` };
  const output = join(folder, 'both.memsurge');
  const script = `echo $DOTNET_DiagnosticPorts; ${samplePath('spawner')} wait`;
  const run = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', script], env);
  const runtimes = async () => (await openRecording(output)).manifest.processes.filter((one) => one.runtime !== '');
  await until(() => run.output().includes('parent ready'));
  run.child.stdin?.write('start the child\n');
  // It does not wait for the recorder, and so must not end before it is seen.
  await until(async () => (await runtimes()).length === 2);
  run.child.stdin?.write('end\n');
  const { status, stdout } = await run.finished;
  expect(status).toBe(0);
  expect(stdout).toMatch(/^[^;]*,suspend;[^;]*theirs,nosuspend\nparent ready\nchild ready\nchild done\nparent done\n$/);
  expect(await runtimes()).toHaveLength(2);
});
