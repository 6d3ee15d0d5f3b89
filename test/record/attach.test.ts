import { readFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseDuration } from '../../src/cli/commands/attach.ts';
import { psTable } from '../../src/cli/commands/ps.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { type Framework, nativeSamplePath, samplePath, whyNoNativeSamples } from '../support/samples.ts';
import { AS_NOBODY, countOf, nobodyMayUse, OWN_TMP, streamsOf, untilRecorded, whyNoNamespaces } from './support.ts';

const folder = await scratchFolder();
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');
const running: { kill(signal: 'SIGKILL'): unknown }[] = [];
let number = 0;
const fresh = () => join(folder, `a${number++}.memsurge`);

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A .NET program that has done its work and sleeps; gives its pid. */
async function sleeper(framework: Framework = 'net10.0', env: NodeJS.ProcessEnv = {}): Promise<number> {
  const { child, output } = start(samplePath('exits', framework), ['wait'], { ...process.env, ...env });
  running.push(child);
  await until(() => output().includes('ready'));
  return child.pid!;
}

async function refused(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await memsurge('attach', '-o', fresh(), ...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^memsurge: .*\n$/s);
  return stderr;
}

describe.each(['net8.0', 'net9.0', 'net10.0'] as Framework[])('%s', (framework) => {
  test('attaching by pid for a duration: the methods compiled before have names, the process goes on', async () => {
    const pid = await sleeper(framework);
    const output = fresh();
    const { status, stderr } = await memsurge('attach', String(pid), '--duration', '1s', '-o', output);
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/^memsurge: recording [^\n]*\nmemsurge: wrote [^\n]*\n$/),
    ]);
    const file = await openTraceFile(output);
    const [target] = file.manifest.processes;
    expect(file.manifest).toMatchObject({ mode: 'attach', state: 'complete' });
    expect(target).toMatchObject({ pid, name: 'exits', exit: 'still running when the recording stopped' });
    const streams = await streamsOf(file);
    expect(countOf(streams.get('-rundown'), 144)).toBeGreaterThan(50);
    expect(
      streams.get('-rundown')?.processes[0].code.some((body) => body.ilMap && body.name === 'AllocateBlocks'),
    ).toBe(true);
    for (const capture of streams.values()) expect(capture.truncated).toBeUndefined();
    expect(await file.read(`process/${target.id}.images.csv`)).toMatch(/System\.Private\.CoreLib\.dll\n/);
    process.kill(pid, 0);
  });
});

describe('stopping', () => {
  test('Ctrl-C keeps what was recorded', async () => {
    const { child, output: printed } = start(samplePath('churn'), ['200000', '1']);
    running.push(child);
    const output = fresh();
    const { child: recorder, finished } = startMemsurge('attach', String(child.pid), '-o', output);
    await untilRecorded(output, 303, 10);
    recorder.kill('SIGINT');
    expect((await finished).status).toBe(0);
    const main = (await streamsOf(await openTraceFile(output))).get('');
    expect(countOf(main, 303)).toBeGreaterThan(10);
    expect(main?.truncated).toBeUndefined();
    expect(child.exitCode).toBeNull();
    expect(printed()).toBe('');
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'a target ended by %s ends the recording, which is kept',
    async (signal) => {
      const { child } = start(samplePath('churn'), ['200000', '1']);
      running.push(child);
      const output = fresh();
      const { finished } = startMemsurge('attach', String(child.pid), '-o', output);
      await untilRecorded(output, 303, 10);
      child.kill(signal);
      expect((await finished).status).toBe(0);
      const file = await openTraceFile(output);
      expect(file.manifest.processes[0].endTime).toBeGreaterThan(file.manifest.startTime);
      expect(file.manifest.processes[0].exit).toMatch(/^(ended|killed by SIG(KILL|TERM))$/);
      expect(countOf((await streamsOf(file)).get(''), 303)).toBeGreaterThan(10);
    },
  );

  test('a recorder that is killed does the target no harm, and its folder opens', async () => {
    const { child } = start(samplePath('churn'), ['200000', '1']);
    running.push(child);
    const output = fresh();
    const { child: recorder, finished } = startMemsurge('attach', String(child.pid), '-o', output);
    await untilRecorded(output, 303, 100);
    recorder.kill('SIGKILL');
    await finished;
    expect(countOf((await streamsOf(await openTraceFile(`${output}.recording`))).get(''), 303)).toBeGreaterThan(100);
    // It can be recorded again at once.
    const again = await memsurge('attach', String(child.pid), '--duration', '500ms', '-o', fresh());
    expect(again.status).toBe(0);
  });
});

describe('refused in one line that says what to do', () => {
  test('no such process, a name nobody has', async () => {
    expect(await refused('4194303')).toContain('there is no process 4194303; "memsurge ps"');
    expect(await refused('nobody-is-called-so')).toContain('no process is called "nobody-is-called-so"');
  });

  test.skipIf(whyNoNativeSamples() !== undefined)('what is left of a process without its first thread', async () => {
    const { child } = start(nativeSamplePath('endings'), ['last-thread-waits']);
    running.push(child);
    await until(() => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') Z '));
    expect(await refused(String(child.pid))).toContain("'s first thread has ended: nothing can attach");
  });

  test('a name that several have: they are listed', async () => {
    const pids = [await sleeper(), await sleeper()];
    const text = await refused('exits');
    expect(text).toContain('choose one by its pid');
    for (const pid of pids) expect(text).toContain(`  ${pid}  exits  `);
  });

  test('diagnostics that are switched off', async () => {
    const pid = await sleeper('net10.0', { DOTNET_EnableDiagnostics: '0' });
    expect(await refused(String(pid))).toContain('was started with DOTNET_EnableDiagnostics=0');
    const { stdout } = await memsurge('ps', '--json');
    const listed = JSON.parse(stdout).processes.find((one: { pid: number }) => one.pid === pid);
    expect(listed.obstacle).toContain('DOTNET_EnableDiagnostics=0');
  });

  test.skipIf(!nobodyMayUse(BIN))('the process of another user (needs root to be someone else)', async () => {
    const pid = await sleeper();
    await chmod(folder, 0o777);
    const [command, ...nobody] = [...AS_NOBODY, process.execPath, BIN];
    const attach = await start(command, [...nobody, 'attach', String(pid), '-o', fresh()]).finished;
    expect(attach.status).toBe(2);
    expect(attach.stderr).toMatch(/^memsurge: no permission .* as root.*\n$/);
    const ps = await start(command, [...nobody, 'ps', '--json']).finished;
    const listed = JSON.parse(ps.stdout).processes.find((one: { pid: number }) => one.pid === pid);
    expect(listed.obstacle).toContain('no permission');
  });

  test('a duration that is none', async () => {
    expect(await refused('1', '--duration', 'soon')).toContain('"soon" is not a duration');
    expect(['30s', '500ms', '1.5m', '2h', '7'].map(parseDuration)).toEqual([30_000, 500, 90_000, 7_200_000, 7_000]);
    for (const text of ['', '-1s', '0s', '1d', '600h']) expect(() => parseDuration(text)).toThrow('not a duration');
  });
});

describe('where the socket is', () => {
  test('in the TMPDIR of the target', async () => {
    const temporary = join(folder, 'elsewhere');
    await mkdir(temporary);
    const pid = await sleeper('net10.0', { TMPDIR: temporary });
    const { status } = await memsurge('attach', String(pid), '--duration', '300ms', '-o', fresh());
    expect(status).toBe(0);
  });

  test.skipIf(whyNoNamespaces() !== undefined)(
    'in a container: other pid and mount namespaces (needs root)',
    async () => {
      // Its /tmp and /proc are its own, and there it is process 1.
      const script = `${OWN_TMP} && mount -t proc proc /proc && exec ${samplePath('exits')} wait`;
      const { child, output } = start('unshare', ['--pid', '--mount', '--fork', '--kill-child', 'sh', '-c', script]);
      running.push(child);
      const outcome = await Promise.race([
        until(() => output().includes('ready')).then(() => 'ready'),
        new Promise((resolve) => child.once('exit', () => resolve('not permitted'))),
      ]);
      expect(outcome).toBe('ready');
      const { stdout } = await memsurge('ps', '--json');
      const inside = JSON.parse(stdout).processes.find((one: { commandLine: string }) =>
        one.commandLine.endsWith('exits wait'),
      );
      expect(inside).toMatchObject({ name: 'exits' });
      expect(inside.obstacle).toBeUndefined();
      const trace = fresh();
      const { status, stderr } = await memsurge('attach', String(inside.pid), '--duration', '300ms', '-o', trace);
      expect([status, stderr]).toEqual([0, expect.stringContaining('wrote')]);
      expect((await openTraceFile(trace)).manifest.processes[0].pid).toBe(inside.pid);
    },
  );
});

describe('ps', () => {
  test('tells pid, name, runtime, memory and command line', async () => {
    const pid = await sleeper();
    const { stdout } = await memsurge('ps');
    const line = stdout.split('\n').find((one) => one.trim().startsWith(`${pid} `));
    expect(line).toMatch(/exits\s+10\.0\.\d+\s+[\d.]+ MiB\s+.*exits wait$/);
    const json = JSON.parse((await memsurge('ps', '--json')).stdout);
    const listed = json.processes.find((one: { pid: number }) => one.pid === pid);
    expect(listed).toMatchObject({ name: 'exits', commandLine: expect.stringMatching(/exits wait$/) });
    expect(listed.rss).toBeGreaterThan(1e6);
  });

  test('lists a process that is stopped, without waiting for it', async () => {
    const pid = await sleeper();
    process.kill(pid, 'SIGSTOP');
    // attach waits for the answer as long as it may; ps, started later, must end before it.
    const patient = startMemsurge('attach', String(pid), '-o', fresh());
    const ps = memsurge('ps', '--json');
    expect(await Promise.race([ps.then(() => 'ps'), patient.finished.then(() => 'attach')])).toBe('ps');
    patient.child.kill('SIGKILL');
    const { stdout } = await ps;
    const listed = JSON.parse(stdout).processes.find((one: { pid: number }) => one.pid === pid);
    expect(listed.obstacle).toContain('does not answer');
  });

  test('fits the terminal', () => {
    const row = { pid: 7, name: 'shop', runtimeVersion: '10.0.1', rss: 5e6, obstacle: undefined };
    const text = psTable([{ ...row, commandLine: '/app/shop '.repeat(50) }], 80, String);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});
