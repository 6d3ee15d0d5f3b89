import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTraceFile } from '../../src/trace/file.ts';
import { type Finished, scratchFolder, start, until } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';
import { processesWith, streamsOf } from './support.ts';

/**
 * No process may ever be left waiting for a recorder that is gone. A program that starts a second one is recorded, and
 * the recorder is killed with SIGKILL at many moments: before, while and after each of the two waits for it.
 */
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');
const folder = await scratchFolder();
let number = 0;

interface Killed extends Finished {
  readonly output: string;
  readonly temporary: string;
}

/** Records `command` and kills the recorder `moment` ms after the port has appeared (negative: after it was started). */
async function killRecorder(moment: number, command: readonly string[]): Promise<Killed> {
  const id = number++;
  const output = join(folder, `k${id}.memsurge`);
  const temporary = join(folder, `tmp${id}`);
  await mkdir(temporary);
  const env = { ...process.env, TMPDIR: temporary };
  const { child, finished } = start(process.execPath, [BIN, 'run', '-o', output, '--', ...command], env);
  if (moment < 0) await sleep(-moment);
  else {
    await until(() => child.exitCode !== null || readdirSync(temporary).length > 0);
    await sleep(moment);
  }
  child.kill('SIGKILL');
  // The pipes close when the last process that has them ends: target, children, whoever.
  return { ...(await finished), output, temporary };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** No process of ours, no socket, no folder outside the recording's. */
async function nothingLeft(temporary: string): Promise<void> {
  await until(() => processesWith(temporary).length === 0, 20);
  await until(() => readdirSync(temporary).filter((name) => name.startsWith('memsurge-')).length === 0, 20);
}

const spawner = samplePath('spawner');

describe('the recorder is killed', { timeout: 300_000 }, () => {
  test('at any moment of its own start: the program either never started or ends as it should', async () => {
    for (let moment = 1; moment <= 241; moment += 12) {
      const { stdout, temporary } = await killRecorder(-moment, [spawner]);
      expect(['', 'child done\nparent done\n'], `killed after ${moment} ms`).toContain(stdout);
      await nothingLeft(temporary);
    }
  });

  test('while the program and its child start: both end as they should', async () => {
    let ended = 0;
    for (let moment = 0; moment <= 200; moment += 8) {
      const script = `${spawner}; echo code $?`;
      const [direct, shell] = await Promise.all([
        killRecorder(moment, [spawner]),
        killRecorder(moment, ['sh', '-c', script]),
      ]);
      // Empty: killed before the program was started. One that waits would hold the pipe, and we would not be here.
      expect(['', 'child done\nparent done\n'], `killed after ${moment} ms`).toContain(direct.stdout);
      expect(['', 'child done\nparent done\ncode 0\n'], `killed after ${moment} ms`).toContain(shell.stdout);
      if (direct.stdout !== '' && shell.stdout !== '') ended++;
      await nothingLeft(direct.temporary);
      await nothingLeft(shell.temporary);
    }
    expect(ended).toBeGreaterThan(10);
  });

  test('and so is the guardian, before: it is started again', async () => {
    const output = join(folder, 'twice.memsurge');
    const temporary = join(folder, 'tmp-twice');
    await mkdir(temporary);
    const env = { ...process.env, TMPDIR: temporary };
    const script = `sleep 2; ${spawner}; echo code $?`;
    const { child, finished } = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', script], env);
    const guardians = () => processesWith(join(temporary, 'memsurge-')).filter((pid) => isGuardian(pid));
    await until(() => guardians().length === 1);
    const [first] = guardians();
    process.kill(first, 'SIGKILL');
    await until(() => guardians().length === 1 && guardians()[0] !== first);
    child.kill('SIGKILL');
    expect((await finished).stdout).toBe('child done\nparent done\ncode 0\n');
    await nothingLeft(temporary);
  });

  test.skipIf(process.getuid?.() !== 0)('while a program waits that cannot reach the port (needs root)', async () => {
    const script = `mount -t tmpfs none $TMPDIR && ${spawner}; echo code $?`;
    const { stdout, stderr, temporary } = await killRecorder(200, ['unshare', '--mount', 'sh', '-c', script]);
    if (/not permitted/.test(stderr)) return console.warn('skipped: unshare is not permitted here');
    expect(stdout).toBe('child done\nparent done\ncode 0\n');
    await nothingLeft(temporary);
  });

  test('and the folder it leaves opens, with what was recorded until then', async () => {
    const output = join(folder, 'left.memsurge');
    const program = samplePath('exits');
    const { child, output: printed } = start(process.execPath, [BIN, 'run', '-o', output, '--', program, 'wait']);
    await until(() => printed().includes('ready'));
    await sleep(700);
    child.kill('SIGKILL');
    const file = await openTraceFile(`${output}.recording`);
    const [target] = file.manifest.processes;
    expect(file.manifest.state).toBe('recording');
    const main = (await streamsOf(file)).get('');
    expect(main?.events).toBeGreaterThan(320);
    expect(await file.read(`process/${target.id}.csv`)).toMatch(/^\d+,\d+\n/);

    // The program runs on, unharmed.
    await sleep(300);
    expect(readFileSync(`/proc/${target.pid}/stat`, 'utf8')).toMatch(/\) S /);
    process.kill(target.pid, 'SIGKILL');
  });
});

test('a server that outlives the program and the recording works on, and so does what it starts', async () => {
  const temporary = join(folder, 'tmp-server');
  const marker = join(folder, 'server-said');
  await mkdir(temporary);
  const env = { ...process.env, TMPDIR: temporary };
  const late = `setsid sh -c 'sleep 1.5; ${spawner} > ${marker}.part; mv ${marker}.part ${marker}' > /dev/null 2>&1 &`;
  const output = join(folder, 'server.memsurge');
  const run = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', `${late} echo started`], env);
  const { status, stdout } = await run.finished;
  expect([status, stdout]).toEqual([0, 'started\n']);
  expect(existsSync(marker)).toBe(false);
  await until(() => existsSync(marker), 30);
  expect(readFileSync(marker, 'utf8')).toBe('child done\nparent done\n');
  await nothingLeft(temporary);
});

function isGuardian(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('guardian');
  } catch {
    return false;
  }
}
