import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTraceFile } from '../../src/trace/file.ts';
import { isLong } from '../support/long.ts';
import { type Finished, scratchFolder, start, until } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';
import { processesWith, streamsOf, untilRecorded, whyNoNamespaces } from './support.ts';

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

/**
 * Records `command` and kills the recorder `moment` ms after the port has appeared (negative: after it was started), or
 * when `moment` holds for the TMPDIR of both.
 */
async function killRecorder(
  moment: number | ((temporary: string) => boolean),
  command: readonly string[],
): Promise<Killed> {
  const id = number++;
  const output = join(folder, `k${id}.memsurge`);
  const temporary = join(folder, `tmp${id}`);
  await mkdir(temporary);
  const env = { ...process.env, TMPDIR: temporary };
  const { child, finished } = start(process.execPath, [BIN, 'run', '-o', output, '--', ...command], env);
  if (typeof moment === 'function') await until(() => child.exitCode !== null || moment(temporary));
  else if (moment < 0) await sleep(-moment);
  else {
    await until(() => child.exitCode !== null || readdirSync(temporary).length > 0);
    await sleep(moment);
  }
  child.kill('SIGKILL');
  // The pipes close when the last process that has them ends: target, children, whoever.
  return { ...(await finished), output, temporary };
}

/** Shell: waits until the test says {@link letGo}. */
const WAIT_TO_GO = 'until [ -e $TMPDIR/go ]; do sleep 0.05; done';
const letGo = (temporary: string) => writeFileSync(join(temporary, 'go'), '');

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** No process of ours, no socket, no folder outside the recording's. */
async function nothingLeft(temporary: string): Promise<void> {
  await until(() => processesWith(temporary).length === 0, 20);
  await until(() => readdirSync(temporary).filter((name) => name.startsWith('memsurge-')).length === 0, 20);
}

const spawner = samplePath('spawner');

describe('the recorder is killed', { timeout: 300_000 }, () => {
  test('at any moment of its own start: the program either never started or ends as it should', async () => {
    for (let moment = 1; moment <= 241; moment += isLong ? 4 : 24) {
      const { stdout, temporary } = await killRecorder(-moment, [spawner]);
      expect(['', 'child done\nparent done\n'], `killed after ${moment} ms`).toContain(stdout);
      await nothingLeft(temporary);
    }
  });

  test('while the program and its child start: both end as they should', async () => {
    let ended = 0;
    // On a busy machine it takes longer until both have started.
    for (let moment = 0; moment <= 200 || ended <= (isLong ? 10 : 3); moment += isLong ? 8 : 25) {
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
  });

  test('and so is the guardian, before: it is started again', async () => {
    const id = number++;
    const output = join(folder, `twice${id}.memsurge`);
    const temporary = join(folder, `tmp-twice${id}`);
    await mkdir(temporary);
    const env = { ...process.env, TMPDIR: temporary };
    const script = `${WAIT_TO_GO}; ${spawner}; echo code $?`;
    const { child, finished } = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', script], env);
    const guardians = () => processesWith(join(temporary, 'memsurge-')).filter((pid) => isGuardian(pid));
    await until(() => guardians().length === 1);
    const [first] = guardians();
    process.kill(first, 'SIGKILL');
    await until(() => guardians().some((pid) => pid !== first));
    // Not "node": who kills every node spares it.
    await until(() => guardians().some((pid) => procFile(pid, 'comm').startsWith('memsurge-guard')));
    // The guardian comes before the program.
    await until(() =>
      processesWith(spawner).some(
        (pid) => procFile(pid, 'cmdline').startsWith('sh\0') && procFile(pid, 'environ').includes(temporary),
      ),
    );
    child.kill('SIGKILL');
    letGo(temporary);
    expect((await finished).stdout).toBe('child done\nparent done\ncode 0\n');
    await nothingLeft(temporary);
  });

  test.skipIf(whyNoNamespaces() !== undefined)(
    'while a program waits that cannot reach the port (needs root)',
    async () => {
      const script = `mount -t tmpfs none $TMPDIR && ${spawner}; echo code $?`;
      const hasBegun = (temporary: string) =>
        processesWith(spawner).some(
          (pid) => procFile(pid, 'cmdline').startsWith(spawner) && procFile(pid, 'environ').includes(temporary),
        );
      const { stdout, temporary } = await killRecorder(hasBegun, ['unshare', '--mount', 'sh', '-c', script]);
      expect(stdout).toBe('child done\nparent done\ncode 0\n');
      await nothingLeft(temporary);
    },
  );

  test('and the folder it leaves opens, with what was recorded until then', async () => {
    const output = join(folder, 'left.memsurge');
    const program = samplePath('exits');
    const { child, output: printed } = start(process.execPath, [BIN, 'run', '-o', output, '--', program, 'wait']);
    await until(() => printed().includes('ready'));
    await untilRecorded(output, 303, 320);
    const [target] = (await openTraceFile(`${output}.recording`)).manifest.processes;
    await until(() => existsSync(`${output}.recording/process/${target.id}.csv`));
    child.kill('SIGKILL');
    const file = await openTraceFile(`${output}.recording`);
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
  const late = `setsid sh -c '${WAIT_TO_GO}; ${spawner} > ${marker}.part; mv ${marker}.part ${marker}' > /dev/null 2>&1 &`;
  const output = join(folder, 'server.memsurge');
  const run = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', `${late} echo started`], env);
  const { status, stdout } = await run.finished;
  expect([status, stdout]).toEqual([0, 'started\n']);
  expect(existsSync(marker)).toBe(false);
  letGo(temporary);
  await until(() => existsSync(marker), 30);
  expect(readFileSync(marker, 'utf8')).toBe('child done\nparent done\n');
  await nothingLeft(temporary);
});

test('a recording ends while what outlives it starts one program after another', async () => {
  const temporary = join(folder, 'tmp-loop');
  await mkdir(temporary);
  const env = { ...process.env, TMPDIR: temporary };
  const loop = `setsid sh -c 'until [ -e $TMPDIR/go ]; do /bin/true; done' > /dev/null 2>&1 &`;
  const script = `${loop} sleep 0.3; echo started`;
  const output = join(folder, 'loop.memsurge');
  const run = start(process.execPath, [BIN, 'run', '-o', output, '--', 'sh', '-c', script], env);
  const { status, stdout } = await run.finished;
  letGo(temporary);
  expect([status, stdout]).toEqual([0, 'started\n']);
  expect(existsSync(output)).toBe(true);
  await nothingLeft(temporary);
});

const isGuardian = (pid: number) => procFile(pid, 'cmdline').includes('guardian');

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}
