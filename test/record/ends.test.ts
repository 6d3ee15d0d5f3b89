import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { endpointConnect } from '../../src/record/diagnostics/endpoint.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';
import { OWN_TMP, whyNoNamespaces } from './support.ts';

const folder = await scratchFolder();
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');
let number = 0;
const fresh = () => join(folder, `e${number++}.memsurge`);
const confined = whyNoNamespaces() !== undefined;
const shell = (script: string, ...args: string[]) => start('bash', ['-c', script, 'bash', ...args]).finished;
const recorder = `${process.execPath} ${BIN}`;

describe('no trace is lost to another', () => {
  test('two recordings to one name at once: the later one is numbered', async () => {
    const output = fresh();
    const [one, two] = await Promise.all([1, 2].map(() => memsurge('run', '-o', output, '--', 'sleep', '0.5')));
    const second = output.replace('.memsurge', '-2.memsurge');
    expect(`${one.stderr}${two.stderr}`).toContain(`memsurge: wrote ${second};`);
    for (const trace of [output, second]) expect((await openTraceFile(trace)).manifest.state).toBe('complete');
  });

  test('without a name: what begins in the same second has names of its own', async () => {
    const own = join(folder, 'own');
    await mkdir(own);
    const runs = Array.from({ length: 3 }, () => `${recorder} run -- sleep 0.5 &`).join(' ');
    await shell(`cd ${own}; ${runs} wait`);
    const traces = readdirSync(own);
    expect(traces).toHaveLength(3);
    for (const trace of traces) expect((await openTraceFile(join(own, trace))).manifest.state).toBe('complete');
  });
});

test('a daemon, whose parent ends before anybody has seen it, is named', async () => {
  const output = fresh();
  const script = '(exec setsid sleep 5 >/dev/null 2>&1 &) &';
  await memsurge('run', '--native', 'off', '-o', output, '--', 'sh', '-c', script);
  const { warnings } = (await openTraceFile(output)).manifest;
  expect(warnings.join('\n')).toMatch(/(sh|setsid|sleep) \(\d+\) went on when sh had ended/);
  process.kill(Number(/ \((\d+)\) went on/.exec(warnings.join())?.[1]), 'SIGKILL');
});

test('a trace, and what is recorded meanwhile, is for its owner alone', async () => {
  const output = fresh();
  const modes = `find ${output}.recording -printf '%y %m\\n' | sort -u`;
  const { stdout } = await shell(
    `umask 000; ${recorder} run -o ${output} -- sh -c 'sleep 0.5; ls /dev/null; sleep 0.2; ${modes.replaceAll("'", '"')}'`,
  );
  expect(stdout.split('\n').filter((line) => /^[df] /.test(line))).toEqual(['d 700', 'f 600']);
  expect((statSync(output).mode & 0o777).toString(8)).toBe('600');
});

describe('an end that can be foreseen has its sentence, and what was recorded is kept', () => {
  const onSmallDisk = (script: string) => {
    const small = join(folder, `small${number++}`);
    const run = `mkdir ${small} && mount -t tmpfs -o size=512k none ${small} && cd ${small} && ${script}; echo code $?`;
    return start('unshare', ['--mount', 'sh', '-c', `${run}; cp -r . ${small}.kept`]).finished.then((finished) => ({
      ...finished,
      kept: `${small}.kept`,
    }));
  };

  test.skipIf(confined)('a disk that the program fills', async () => {
    const { stdout, stderr, kept } = await onSmallDisk(
      `${recorder} run --native off -o t.memsurge -- sh -c 'cat /dev/zero >fill 2>/dev/null; sleep 1; exit 6'`,
    );
    expect(stdout).toBe('code 6\n');
    expect(stderr).toMatch(
      /memsurge: (cannot write the recording|the trace was not written|cannot write) .*no space left on the device/,
    );
    expect(stderr).not.toMatch(/unexpected|ENOSPC/);
    // What the program leaves of the room that was kept for the end decides whether the trace can be packed.
    const place =
      /memsurge: (?:wrote \S*\/(t\.memsurge); next|.* in \S*\/(t\.memsurge\.recording), which opens like a trace file)/;
    const [, packed, folded] = place.exec(stderr) ?? [];
    const { manifest } = await openTraceFile(join(kept, packed ?? folded));
    expect([manifest.command[0], manifest.processes[0].name]).toEqual(['sh', 'sh']);
    expect(manifest.warnings.join()).toContain('no space left on the device');
  });

  test.skipIf(confined)('a disk that is full before', async () => {
    const { stdout, stderr } = await onSmallDisk(
      `cat /dev/zero >fill 2>/dev/null; ${recorder} run -o t.memsurge -- echo started; rm fill; ls -d *.recording`,
    );
    expect(stdout).not.toContain('started');
    expect(stderr).toMatch(
      /^memsurge: cannot record into \S+ \(no space left on the device[^)]*\); choose another place with -o\n/,
    );
    expect(stdout).not.toContain('.recording');
  });

  test.skipIf(confined)('a read-only disk', async () => {
    const { stdout, stderr } = await onSmallDisk(
      `mount -o remount,ro . && ${recorder} run -o t.memsurge -- echo started`,
    );
    expect(stdout).toBe('code 2\n');
    expect(stderr).toMatch(
      /^memsurge: cannot record into \S+ \(the file system is read-only\S* \S+\); choose another place with -o\n/,
    );
  });

  test('a recording that is removed while it goes on', async () => {
    const output = fresh();
    // A folder that is written into meanwhile is not empty.
    const script = `until rm -rf ${output}.recording 2>&-; do :; done; sleep 0.7; exit 4`;
    const { status, stderr } = await memsurge('run', '--native', 'off', '-o', output, '--', 'sh', '-c', script);
    expect(status).toBe(4);
    expect(stderr).toContain(`${output}.recording was removed while it was recorded into: nothing is left of it\n`);
    expect(stderr).not.toContain('unexpected');
  });

  test('a signal while the trace is packed', async () => {
    const output = fresh();
    const script = 'trap "" HUP; echo up; sleep 0.3; exit 5';
    const { child, finished, output: printed } = startMemsurge('run', '-o', output, '--', 'sh', '-c', script);
    await until(() => printed().includes('up'));
    const timer = setInterval(() => child.kill('SIGHUP'), 1);
    const { status, stderr } = await finished;
    clearInterval(timer);
    expect(stderr).toBe(
      `memsurge: ended by SIGHUP before the trace was packed: what was recorded is in ${output}.recording, which opens like a trace file\n`,
    );
    expect(status).toBe(128 + 1);
    expect((await openTraceFile(`${output}.recording`)).manifest.processes[0].exit).toBe('exit code 5');
    expect(existsSync(`${output}.recording.part`)).toBe(false);
  });

  test('signals that do not stop, while an attached recording is to be kept', async () => {
    const output = fresh();
    const target = start(samplePath('spawner'), ['child', 'wait']);
    await until(() => target.output().includes('child ready'));
    const { child, finished } = startMemsurge('attach', String(target.child.pid), '-o', output);
    let said = '';
    child.stderr?.on('data', (text) => {
      said += text;
    });
    await until(() => said.includes('recording'));
    const timer = setInterval(() => child.kill('SIGINT'), 1);
    const { status, stderr } = await finished;
    clearInterval(timer);
    expect(stderr).toContain(
      `ended by SIGINT before the trace was packed: what was recorded is in ${output}.recording`,
    );
    expect(status).toBe(128 + 2);
    target.child.kill('SIGKILL');
  });

  test('a target that is killed while it is attached to', async () => {
    const output = fresh();
    const target = start(samplePath('spawner'), ['child', 'wait']);
    await until(() => target.output().includes('child ready'));
    const { child, finished } = startMemsurge('attach', String(target.child.pid), '-o', output);
    await until(() => existsSync(`${output}.recording`));
    target.child.kill('SIGKILL');
    const { status, stderr } = await finished;
    expect(stderr).not.toContain('unexpected');
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^memsurge: (wrote|process \d+ )/);
    expect([0, 2]).toContain(status);
    child.kill();
  });
});

test('a socket whose path is too long for the kernel is connected to', async () => {
  const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60));
  await mkdir(deep, { recursive: true });
  const server = createServer((socket) => socket.end('here'));
  const link = join(folder, 'short');
  await shell(`ln -s ${deep} ${link}`);
  await new Promise<void>((resolve) => server.listen(join(link, 'socket'), resolve));
  const socket = await endpointConnect(join(deep, 'socket'))();
  let said = '';
  for await (const chunk of socket) said += chunk;
  expect(said).toBe('here');
  server.close();
});

test.skipIf(confined)('a TMPDIR that cannot hold a socket is named as the reason when /tmp cannot either', async () => {
  const script = `${OWN_TMP} && mount -o remount,ro /tmp && TMPDIR=/${'long/'.repeat(20)} ${recorder} run -o ${fresh()} -- echo started`;
  // The scratch folder lies in /tmp, and is not needed.
  const { stderr, stdout } = await start('unshare', ['--mount', 'sh', '-c', script]).finished;
  expect(stdout).toBe('');
  expect(stderr).toMatch(
    /^memsurge: cannot (make a socket at \/tmp\/.* TMPDIR cannot hold it, for it is longer than 60 bytes|record into)/m,
  );
});
