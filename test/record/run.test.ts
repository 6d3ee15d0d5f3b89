import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTraceFile } from '../../src/trace/file.ts';
import { ask, memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { FRAMEWORKS, type Framework, samplePath, samplesAllocations } from '../support/samples.ts';
import { countOf, openRecording, processesWith, streamsOf, whyNoNamespaces } from './support.ts';

const folder = await scratchFolder();
let number = 0;
const fresh = () => join(folder, `t${number++}.memsurge`);

describe('the program does not notice', () => {
  test('standard streams and exit code', async () => {
    const { child, finished } = startMemsurge('run', '-o', fresh(), '--', 'sh', '-c', 'cat; echo oops >&2; exit 7');
    child.stdin?.end('through\n');
    const { status, stdout, stderr } = await finished;
    expect(status).toBe(7);
    expect(stdout).toBe('through\n');
    expect(stderr).toMatch(/^oops\nmemsurge: wrote .*\n/);
  });

  test('that nobody reads any more what memsurge says', async () => {
    const output = fresh();
    const recording = `"${process.execPath}" bin/memsurge.js run -o ${output} -- sh -c "sleep 0.3; exit 7"`;
    const { finished } = start('sh', ['-c', `cd "${ROOT}"; (${recording}; echo $? > ${output}.code) 2>&1 | true`]);
    await finished;
    expect(await readFile(`${output}.code`, 'utf8')).toBe('7\n');
    expect((await openTraceFile(output)).manifest.state).toBe('complete');
  });

  test('its options are its own', async () => {
    const { stdout } = await memsurge('run', '-o', fresh(), 'echo', '-o', 'x', '--json');
    expect(stdout).toBe('-o x --json\n');
  });

  test('a signal that ends it is told as a shell tells it', async () => {
    const { status } = await memsurge('run', '-o', fresh(), '--', 'sh', '-c', 'kill -9 $$');
    expect(status).toBe(128 + 9);
  });

  test('SIGTERM goes on to it, Ctrl-C is left to it, and the recording is kept', async () => {
    const output = fresh();
    const script = 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done';
    const { child, finished, output: printed } = startMemsurge('run', '-o', output, '--', 'sh', '-c', script);
    await until(() => printed().includes('up'));
    child.kill('SIGINT');
    child.kill('SIGTERM');
    const { status, stdout } = await finished;
    expect(status).toBe(5);
    expect(stdout).toBe('up\nbye\n');
    expect((await openTraceFile(output)).manifest.state).toBe('complete');
  });
});

test('a console program that Ctrl-C ends keeps its errors, and what it could not write any more is said', async () => {
  const output = fresh();
  const { finished, output: printed } = startMemsurge('run', '-o', output, '--', samplePath('exits'), 'wait');
  await until(() => printed().includes('ready'));
  await until(() => holdsAll(output, 'net10.0').catch(() => false));
  process.kill((await openRecording(output)).manifest.processes[0].pid, 'SIGINT');
  expect((await finished).status).toBe(128 + 2);
  const { warnings, accuracy } = await ask('top', output, '--kind', 'gc-heap');
  expect(warnings.join()).toMatch(/the program ended before the runtime had written its last events|its events end \d/);
  expect(warnings.join()).not.toContain('end mark at byte');
  expect(accuracy).toBe('sampled');
});

describe('wrong usage is one line and an exit code of its own', () => {
  test('a command that does not exist, or is no program', async () => {
    const output = fresh();
    const missing = await memsurge('run', '-o', output, '--', 'no-such-command-at-all');
    // As a shell says it.
    expect(missing.status).toBe(127);
    expect(missing.stderr).toBe('memsurge: no-such-command-at-all: command not found\n');

    const text = join(folder, 'readme.txt');
    await writeFile(text, 'hello');
    const plain = await memsurge('run', '-o', output, '--', text);
    expect(plain.status).toBe(126);
    expect(plain.stderr).toMatch(/^memsurge: .*readme.txt: not an executable file.*\n$/);
    expect(existsSync(output) || existsSync(`${output}.recording`)).toBe(false);
  });

  test('an output that is something else is not overwritten', async () => {
    const text = join(folder, 'precious.txt');
    await writeFile(text, 'precious');
    const { status, stderr } = await memsurge('run', '-o', text, '--', 'true');
    expect(status).toBe(2);
    expect(stderr).toMatch(/precious.txt exists and is not a memsurge trace/);
    expect(await readFile(text, 'utf8')).toBe('precious');

    await mkdir(join(folder, 'sub'));
    expect((await memsurge('run', '-o', join(folder, 'sub'), '--', 'true')).stderr).toContain('is a folder');
    expect((await memsurge('run', '-o', join(folder, 'no/where.memsurge'), '--', 'true')).status).toBe(2);
  });

  test('no place for the socket of the recording: nothing starts, nothing is left', async () => {
    const output = fresh();
    const bin = join(ROOT, 'bin', 'memsurge.js');
    const environment = { ...process.env, TMPDIR: join(ROOT, 'package.json') };
    const { status, stdout, stderr } = await start(
      process.execPath,
      [bin, 'run', '-o', output, '--', 'echo', 'started'],
      environment,
    ).finished;
    expect(stderr).toMatch(/^memsurge: cannot make a socket at .*; set TMPDIR to a folder that can be written\n$/);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(existsSync(output) || existsSync(`${output}.recording`)).toBe(false);
  });

  test('a zip that is no trace is not overwritten, though its first file has the same name', async () => {
    const output = fresh();
    await memsurge('run', '-o', output, '--', 'true');
    const bytes = Buffer.from((await readFile(output, 'latin1')).replace('"memsurge"', '"an addon"'), 'latin1');
    await writeFile(output, bytes);
    expect((await memsurge('run', '-o', output, '--', 'true')).stderr).toMatch(/exists and is not a memsurge trace/);
    expect(await readFile(output)).toEqual(bytes);
  });

  test('an earlier trace is replaced only when that is asked for', async () => {
    const output = fresh();
    await memsurge('run', '-o', output, '--', 'true');
    const refused = await memsurge('run', '-o', output, '--', 'echo', 'started');
    const why = `memsurge: ${output} exists; choose another name with -o, or replace it with --force\n`;
    expect(refused).toMatchObject({ status: 2, stdout: '', stderr: why });
    expect((await openTraceFile(output)).manifest.command).toEqual(['true']);
    await memsurge('run', '--force', '-o', output, '--', 'sh', '-c', 'exit 0');
    expect((await openTraceFile(output)).manifest.command).toEqual(['sh', '-c', 'exit 0']);
  });
});

test('a program without a runtime leaves a trace that says so', async () => {
  const output = fresh();
  const { stderr } = await memsurge('run', '--native', 'off', '-o', output, '--', 'true');
  expect(stderr).toContain('no .NET runtime connected');
  const { manifest } = await openTraceFile(output);
  expect(manifest.processes.map((process) => [process.name, process.runtime])).toEqual([['true', '']]);
  expect(manifest.warnings).toHaveLength(1);
});

describe.each(FRAMEWORKS)('exits on %s', (framework) => {
  test('the stream holds allocations, GCs with their sizes, committed memory, and methods with IL maps', async () => {
    const output = fresh();
    const { status } = await memsurge('run', '-o', output, '--', samplePath('exits', framework), 'exit-code');
    expect(status).toBe(7);
    const file = await openTraceFile(output);
    const [process] = file.manifest.processes;
    expect(process).toMatchObject({ name: 'exits', exit: 'exit code 7' });
    expect(process.runtime).toMatch(new RegExp(`^\\.NET ${framework.slice(3).split('.')[0]}\\.`));

    const streams = await streamsOf(file);
    const main = streams.get('');
    const symbols = streams.get('-symbols') ?? main;
    expect(main?.truncated).toBeUndefined();
    expect(main?.eventsLost).toBe(0);
    // 640 arrays of 100 KiB: a tick each, or a sample of each with probability 1 − 1/e, 404 ± 12.
    expect(countOf(main, samplesAllocations(framework) ? 303 : 10)).toBeGreaterThan(320);
    for (const id of [1, 2, 4, 39, 204]) expect(countOf(main, id), `event ${id}`).toBeGreaterThan(0);
    expect(countOf(symbols, 143)).toBeGreaterThan(5);
    // .NET 11 compiles fewer methods of its own at a start.
    expect(countOf(symbols, 190)).toBeGreaterThan(framework === 'net11.0' ? 1 : 3);

    const images = await file.read(`process/${process.id}.images.csv`);
    expect(images).toMatch(/System\.Private\.CoreLib\.dll\n/);
    expect(await file.read(`process/${process.id}.threads.csv`)).toMatch(/\.NET Finalizer/);
    expect((await file.read(`process/${process.id}.csv`)).split('\n').length).toBeGreaterThan(2);
  });

  test('the clocks of events, /proc samples and manifest are one', async () => {
    const output = fresh();
    await memsurge('run', '-o', output, '--', samplePath('exits', framework), 'normal');
    const file = await openTraceFile(output);
    const [process] = file.manifest.processes;
    const main = (await streamsOf(file)).get('')!;
    expect(main.startTime).toBeGreaterThan(process.startTime);
    expect(main.endTime).toBeLessThan(process.endTime!);
    expect(Math.abs(main.startedAt - file.manifest.startedAt)).toBeLessThan(10_000);
  });

  test.each([
    ['exception', 128 + 6, 'killed by SIGABRT'],
    ['fail-fast', 128 + 6, 'killed by SIGABRT'],
  ])('ended by %s', async (how, code, words) => {
    const output = fresh();
    const { status } = await memsurge('run', '-o', output, '--', samplePath('exits', framework), how);
    expect(status).toBe(code);
    const file = await openTraceFile(output);
    expect(file.manifest.processes[0].exit).toBe(words);
    for (const capture of (await streamsOf(file)).values()) expect(capture.format).toBe('nettrace');
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('ended by %s', async (signal) => {
    const output = fresh();
    const program = samplePath('exits', framework);
    const { child, finished, output: printed } = startMemsurge('run', '-o', output, '--', program, 'wait');
    await until(() => printed().includes('ready'));
    // The runtime writes its buffers every 100 ms or so.
    await until(() => holdsAll(output, framework).catch(() => false));
    if (signal === 'SIGTERM') child.kill(signal);
    else {
      const { manifest } = await openRecording(output);
      process.kill(manifest.processes[0].pid, signal);
    }
    const { status } = await finished;
    expect(status).toBe(signal === 'SIGTERM' ? 128 + 15 : 128 + 9);
    const file = await openTraceFile(output);
    // Up to .NET 9 the runtime handles SIGTERM itself and exits with 128 + 15.
    const exits = signal === 'SIGTERM' && ['net8.0', 'net9.0'].includes(framework);
    expect(file.manifest.processes[0].exit).toBe(exits ? 'exit code 143' : `killed by ${signal}`);
    expect(await holdsAll(output, framework)).toBe(true);
  });
});

/** Whether a recording holds the allocations of "exits", methods that the JIT compiled, and the images. */
async function holdsAll(output: string, framework: Framework): Promise<boolean> {
  const file = await openRecording(output);
  const streams = await streamsOf(file);
  return (
    countOf(streams.get(''), samplesAllocations(framework) ? 303 : 10) > 320 &&
    countOf(streams.get('-symbols') ?? streams.get(''), 143) > 5 &&
    /CoreLib\.dll\n/.test(await file.read(`process/${file.manifest.processes[0].id}.images.csv`))
  );
}

test.skipIf(whyNoNamespaces() !== undefined)('a full disk stops the recording, not the program', async () => {
  // A file system of 256 KiB: the streams of a build fill it at once.
  const small = join(folder, 'small');
  const script =
    `mkdir -p ${small} && mount -t tmpfs -o size=256k none ${small} && cd ${small} && ` +
    `${process.execPath} ${join(import.meta.dirname, '../../bin/memsurge.js')} run -o t.memsurge -- ` +
    `${samplePath('churn')} 3000; echo code $?; ls t.memsurge.recording; cp -r t.memsurge.recording ${folder}/full.recording`;
  const { stdout, stderr } = await start('unshare', ['--mount', 'sh', '-c', script]).finished;
  expect(stdout).toMatch(/"bytes"/);
  expect(stderr.match(/cannot write the recording/g)).toHaveLength(1);
  expect(stdout).toContain('manifest.json');
  const file = await openTraceFile(join(folder, 'full.recording'));
  const main = (await streamsOf(file)).get('');
  expect(main?.events).toBeGreaterThan(0);
});

test('nothing of ours stays behind', async () => {
  const output = fresh();
  const tmp = join(folder, 'own-tmp');
  await mkdir(tmp);
  const env = { ...process.env, TMPDIR: tmp };
  const bin = join(import.meta.dirname, '../../bin/memsurge.js');
  const { status } = await start(process.execPath, [bin, 'run', '-o', output, '--', samplePath('hello')], env).finished;
  expect(status).toBe(0);
  await until(() => processesWith(tmp).length === 0);
  await until(() => readdirSync(tmp).length === 0);
  expect(existsSync(`${output}.recording`)).toBe(false);
});
