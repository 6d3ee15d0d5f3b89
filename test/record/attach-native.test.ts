import { closeSync, copyFileSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Row } from '../../src/query/rows.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { ask, memsurge, read, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { nativeSamplePath, samplePath, whyNoNativeSamples } from '../support/samples.ts';
import { AS_NOBODY, nobodyMayUse, OWN_TMP, processesWith, whyNoNamespaces } from './support.ts';

const MiB = 1024 * 1024;
const BIN = join(ROOT, 'bin', 'memsurge.js');
const withoutNative = whyNoNativeSamples() !== undefined;
const folder = await scratchFolder();
const running: { kill(signal: 'SIGKILL'): unknown }[] = [];
let number = 0;
const fresh = () => join(folder, `n${number++}.memsurge`);

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** What the sample keeps before it waits, in bytes; the C library adds 2.1 % of its own. */
const KEPT_BEFORE = 64 * MiB + 200_000 * 100 + 3 * 1000 * 10_000;

/** The sample that waits for lines, under a name that no other test has. */
const NAME = `waits-${process.pid}`;

async function waiting() {
  const program = join(folder, NAME);
  if (!existsSync(program)) copyFileSync(nativeSamplePath('waits'), program);
  const started = start(program, []);
  running.push(started.child);
  await until(() => started.output().includes('ready'));
  return { ...started, pid: started.child.pid!, tell: () => started.child.stdin?.write('\n') };
}

/** Starts recording, and waits until it has begun. */
async function attaching(...args: string[]) {
  const output = fresh();
  const recorder = startMemsurge('attach', ...args, '-o', output);
  const agents = join(`${output}.recording`, 'agents');
  await until(() => existsSync(agents) && readdirSync(agents).some((name) => name.endsWith('.agent')));
  return { ...recorder, output };
}

const threadNames = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((tid) => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim());

/** How many words of the program's own data and tables lead into the agent. */
function slotsToAgent(pid: number): number {
  const ranges = [...readFileSync(`/proc/${pid}/maps`, 'latin1').matchAll(/^(\w+)-(\w+) (\S+) .*\/([^/\n]+)$/gm)].map(
    ([, start, end, access, file]) => ({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), access, file }),
  );
  const agent = ranges.filter(({ file }) => file.startsWith('libmemsurge'));
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  let slots = 0;
  for (const { start, end } of ranges.filter(({ file, access }) => file === NAME && !access.includes('x'))) {
    const bytes = Buffer.alloc(Number(end - start));
    readSync(memory, bytes, 0, bytes.length, Number(start));
    for (let at = 0; at < bytes.length; at += 8) {
      const word = bytes.readBigUInt64LE(at);
      if (agent.some((range) => word >= range.start && word < range.end)) slots++;
    }
  }
  closeSync(memory);
  return slots;
}

const processMaps = (pid: number) => readFileSync(`/proc/${pid}/maps`, 'latin1');

const rowOf = (rows: readonly Row[], name: string) => rows.find((row) => row.name === name);

describe.skipIf(withoutNative)('a plain native program', () => {
  test('exact, by name: what it keeps from then on, to the byte; it is left as it was', async () => {
    const target = await waiting();
    const recorder = await attaching(NAME, '--native', 'exact');
    await until(() => slotsToAgent(target.pid) > 0);
    target.tell();
    await until(() => target.output().includes('kept'));
    recorder.child.kill('SIGINT');
    const { status, stderr } = await recorder.finished;
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^memsurge: process \d+ was made to load [^\n]*\nmemsurge: recording [^\n]*\nmemsurge: wrote [^\n]*\n$/,
      ),
    ]);
    expect(threadNames(target.pid)).not.toContain('memsurge');
    expect(slotsToAgent(target.pid)).toBe(0);

    const { rows, accuracy, before } = await ask('top', recorder.output, '--kind', 'native-heap', '--by', 'function');
    expect(accuracy).toBe('exact');
    expect(before).toBeGreaterThan(KEPT_BEFORE);
    expect(before).toBeLessThan(KEPT_BEFORE * 1.05);
    const report = await read('report', recorder.output);
    expect(report.stdout).toMatch(/Before recording began 11\d MiB of the native heap were in use/);
    expect(rowOf(rows, 'keep_small')).toMatchObject({ totalBytes: 6000 * 128, totalCount: 6000 });
    expect(rowOf(rows, 'keep_large')).toMatchObject({ totalBytes: 3 * MiB, totalCount: 3 });
    const threads = await ask(
      'top',
      recorder.output,
      '--kind',
      'native-heap',
      '--function',
      'keep_small',
      '--by',
      'thread',
    );
    expect(threads.rows.map((row) => row.bytes)).toEqual([3, 2, 1].map((n) => n * 1000 * 128));
    const { manifest } = await openTraceFile(recorder.output);
    expect(manifest).toMatchObject({ mode: 'attach', state: 'complete' });
    expect(manifest.processes).toMatchObject([
      { pid: target.pid, name: NAME, runtime: '', exit: 'still running when the recording stopped' },
    ]);

    // Once more, sampled as it is without a mode: the agent is there already.
    const again = fresh();
    const second = await memsurge('attach', String(target.pid), '--duration', '300ms', '-o', again);
    expect([second.status, second.stderr]).toEqual([0, expect.not.stringContaining('was made to load')]);
    const samples = await ask('top', again, '--metric', 'allocated', '--by', 'function');
    expect(samples.accuracy).toBe('sampled');
    expect(rowOf(samples.rows, 'take')!.count).toBeGreaterThan(1000);
    target.tell();
    expect(await target.finished).toMatchObject({ status: 7, stdout: `ready ${target.pid}\nkept\ndone\n`, stderr: '' });
  });

  test('its end ends the recording, which is kept', async () => {
    const target = await waiting();
    const recorder = await attaching(String(target.pid), '--native', 'exact');
    await until(() => slotsToAgent(target.pid) > 0);
    target.tell();
    target.tell();
    expect(await target.finished).toMatchObject({ status: 7, stderr: '' });
    expect((await recorder.finished).status).toBe(0);
    const { manifest } = await openTraceFile(recorder.output);
    expect(manifest.processes[0].endTime).toBeGreaterThan(manifest.startTime);
    expect(manifest.processes[0].exit).toMatch(/^(ended|exit code 7)$/);
    const { rows } = await ask('top', recorder.output, '--kind', 'native-heap', '--by', 'function');
    expect(rowOf(rows, 'keep_large')).toMatchObject({ totalBytes: 3 * MiB });
  });

  test.skipIf(whyNoNamespaces() !== undefined)(
    'in a container, to its end, at which its folders go too (needs root)',
    async () => {
      // Its /tmp and /proc are its own, and there it is process 1.
      const program = nativeSamplePath('waits');
      const script = `${OWN_TMP} && mount -t proc proc /proc && exec ${program}`;
      const { child, finished, output } = start('unshare', [
        '--pid',
        '--mount',
        '--fork',
        '--kill-child',
        'sh',
        '-c',
        script,
      ]);
      running.push(child);
      const outcome = await Promise.race([
        until(() => output().includes('ready 1')).then(() => 'ready'),
        finished.then(() => 'not permitted'),
      ]);
      expect(outcome).toBe('ready');
      const pid = processesWith(program).find(
        (one) => readFileSync(`/proc/${one}/cmdline`, 'utf8') === `${program}\0`,
      )!;
      const trace = fresh();
      const recorder = startMemsurge('attach', String(pid), '--native', 'exact', '-o', trace);
      let said = '';
      recorder.child.stderr?.on('data', (text) => {
        said += text;
      });
      await until(() => said.includes('with its native memory'));
      // Time for the recorder to find the file in there.
      await until(() => readdirSync(`${trace}.recording/native`).length > 0);
      child.stdin?.write('\n\n');
      expect((await finished).status).toBe(7);
      expect((await recorder.finished).status).toBe(0);
      expect((await openTraceFile(trace)).manifest.processes).toMatchObject([{ pid, name: 'waits' }]);
      const { rows } = await ask('top', trace, '--kind', 'native-heap', '--by', 'function');
      expect(rowOf(rows, 'keep_small')).toMatchObject({ totalBytes: 6000 * 128, totalCount: 6000 });
    },
  );
});

describe.skipIf(withoutNative)('a recorder that is killed while it records', () => {
  test('is given up by the agent, which leaves the program as it was and can be used again', async () => {
    const target = await waiting();
    const killed = await attaching(String(target.pid), '--native', 'exact');
    await until(() => slotsToAgent(target.pid) > 0);
    killed.child.kill('SIGKILL');
    await killed.finished;
    await until(() => slotsToAgent(target.pid) === 0, 90);
    const next = await attaching(String(target.pid), '--native', 'exact');
    target.tell();
    target.tell();
    expect(await target.finished).toMatchObject({ status: 7, stderr: '' });
    expect((await next.finished).status).toBe(0);
    const { rows } = await ask('top', next.output, '--kind', 'native-heap', '--by', 'function');
    expect(rowOf(rows, 'keep_small')).toMatchObject({ totalBytes: 6000 * 128, totalCount: 6000 });
  });
});

describe.skipIf(withoutNative)('a second recorder', () => {
  test('takes the place of one that stands still or was killed, and the former says so when it goes on', async () => {
    const target = await waiting();
    const former = await attaching(String(target.pid), '--native', 'exact');
    await until(() => slotsToAgent(target.pid) > 0);
    former.child.kill('SIGSTOP');
    const again = () => memsurge('attach', String(target.pid), '--duration', '100ms', '-o', fresh());
    expect(await again()).toMatchObject({ status: 2, stderr: expect.stringContaining('makes room after 5 s') });
    await until(async () => (await again()).status === 0);
    let said = '';
    former.child.stderr?.on('data', (text) => {
      said += text;
    });
    former.child.kill('SIGCONT');
    await until(() => said.includes('stood still'));
    target.tell();
    target.tell();
    expect(await target.finished).toMatchObject({ status: 7, stderr: '' });
    const text = /native memory was not recorded since \d+\.\d\d s: memsurge stood still for more than 5 s/;
    expect(await former.finished).toMatchObject({ status: 0, stderr: expect.stringMatching(text) });
    expect((await ask('top', former.output, '--kind', 'native-heap')).warnings.join()).toMatch(text);
  });

  test('of a .NET program is refused, and leaves it and the first one as they were', async () => {
    const { child, finished, output } = start(samplePath('story2'), ['--wait-for-enter', '--delay', '5']);
    running.push(child);
    await until(() => output().includes('waits for Enter'));
    const first = await attaching(String(child.pid), '--native', 'exact');
    await until(() => processMaps(child.pid!).includes('.agent'));
    const { status, stderr } = await memsurge('attach', String(child.pid), '--native', 'sampled', '-o', fresh());
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^memsurge: [^\n]* it is being recorded already [^\n]*\n$/),
    ]);
    child.stdin?.write('\n');
    expect(await finished).toMatchObject({ status: 0, stdout: expect.stringContaining('3488 MiB leaked') });
    expect((await first.finished).status).toBe(0);
  });
});

describe.skipIf(withoutNative)('refused in one line that says what to do', () => {
  async function refused(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await start(process.execPath, [BIN, 'attach', ...args, '-o', fresh()], env)
      .finished;
    expect([status, stdout]).toEqual([2, '']);
    return stderr;
  }

  test('a name that several have: they are listed', async () => {
    const pids = [(await waiting()).pid, (await waiting()).pid];
    const text = await refused(process.env, NAME);
    expect(text).toContain(`2 processes are called "${NAME}", choose one by its pid`);
    for (const pid of pids) expect(text).toContain(`  ${pid}  ${NAME}  `);
  });

  test('without native memory there is nothing', async () => {
    const { pid } = await waiting();
    expect(await refused(process.env, String(pid), '--native', 'off')).toMatch(
      /^memsurge: process \d+ \(waits-\d+\) is not a \.NET process: .*leave out --native off\n$/,
    );
  });

  test.skipIf(!nobodyMayUse(BIN))('the process of another user (needs root to be someone else)', async () => {
    const { pid } = await waiting();
    await chmod(folder, 0o777);
    const [command, ...args] = [...AS_NOBODY, process.execPath, BIN, 'attach', String(pid), '-o', fresh()];
    const { status, stderr } = await start(command, args).finished;
    expect(status).toBe(2);
    expect(stderr).toMatch(/^memsurge: no permission .* as root.*\n$/);
  });
});
