import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readAgentFile } from '../../src/read/agent/file.ts';
import { parseResidency } from '../../src/read/agent/resident.ts';
import { openTrace } from '../../src/read/open.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { type AllocationTable, NONE, type Trace } from '../../src/trace/tables.ts';
import { type ExpectedHeap, expectedOfLeaks, siteOf } from '../support/leaks.ts';
import { ask, memsurge, scratchFolder, startMemsurge, until } from '../support/memsurge.ts';
import { nativeSamplePath, samplePath, whyNoNativeSamples } from '../support/samples.ts';
import { whyNoNamespaces } from './support.ts';

const folder = await scratchFolder();
const unable = whyNoNativeSamples();
const MiB = 1024 * 1024;
let made = 0;

async function record(
  mode: string,
  ...command: string[]
): Promise<{ status: number | null; path: string; stderr: string }> {
  const path = join(folder, `${++made}.memsurge`);
  const { status, stderr } = await memsurge('run', '--native', mode, '-o', path, '--', ...command);
  return { status, path, stderr };
}

/** Readable names of a stack's frames, innermost first. */
function framesOf({ stacks, frames, functions }: Trace, stack: number): string[] {
  const names: string[] = [];
  for (let row = stack; row !== NONE; row = stacks.prefix[row])
    names.push(functions.name[frames.function[stacks.frame[row]]]);
  return names;
}

/** Sums of a table by "function thread" of the sites that the program knows. */
function bySite(trace: Trace, table: AllocationTable, heap: readonly ExpectedHeap[], pick: (row: number) => number) {
  const sums: Record<string, number> = {};
  for (let row = 0; row < table.length; row++) {
    const site = siteOf(framesOf(trace, table.stack[row]), heap);
    if (site === undefined || trace.threads.process[table.thread[row]] === NONE) continue;
    const key = `${site} in ${trace.threads.name[table.thread[row]]}`;
    sums[key] = (sums[key] ?? 0) + pick(row);
  }
  return sums;
}

/** Bytes in memory as a recording that is under way measured them last. */
function measuredBytes(recording: string): number {
  const native = join(recording, 'native');
  const parts = existsSync(native) ? readdirSync(native).filter((name) => name.endsWith('.resident')) : [];
  const measured = parts.map((name) => parseResidency(readFileSync(join(native, name), 'utf8')));
  return measured.flatMap(({ bytes }) => [...bytes]).reduce((sum, bytes) => sum + bytes, 0);
}

const without0 = (sums: Record<string, number>) =>
  Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));

describe.skipIf(unable !== undefined)(`native memory${unable ? ` (${unable})` : ''}`, () => {
  test('a program and a trace with spaces in their names: called as they are, and named so that a shell takes it', async () => {
    const place = join(folder, 'two words');
    mkdirSync(place);
    const program = join(place, 'my prog');
    copyFileSync(nativeSamplePath('leaks'), program);
    const path = join(place, 'a b.memsurge');
    const { stderr } = await memsurge('run', '--native', 'exact', '-o', path, '--', program);
    expect(stderr).toContain(
      `memsurge: wrote ${path}; next: memsurge report '${path}', or in the browser: memsurge view '${path}'\n`,
    );
    const { processes } = await openTrace(path);
    expect([processes.name, processes.commandLine]).toEqual([['my prog'], [`'${program}'`]]);
  });

  test('a part that cannot be read: what it held is said to be unread, and the others are kept', async () => {
    const { path } = await record('exact', nativeSamplePath('leaks'));
    const spoilt = async (ending: string) => {
      const bytes = readFileSync(path);
      // An entry of a zip begins with PK\3\4, and has its name after 30 bytes.
      const nameAt = (at: number) => bytes.toString('latin1', at + 30, at + 30 + bytes.readUInt16LE(at + 26));
      let at = bytes.indexOf('PK\x03\x04');
      while (at >= 0 && !nameAt(at).endsWith(ending)) at = bytes.indexOf('PK\x03\x04', at + 1);
      if (at < 0) throw new Error(`no part ends with ${ending}`);
      const copy = join(folder, `spoilt${ending}.memsurge`);
      writeFileSync(copy, bytes.fill('X', at, at + 4));
      return openTrace(copy);
    };
    const agentless = await spoilt('.agent');
    expect(agentless.recording.blindSpots.map(({ text }) => text)).toEqual([
      'what its agent recorded of native memory cannot be read',
    ]);
    const file = await openTraceFile(path);
    const whole = await file.bytes(file.manifest.processes[0].native[0]);
    expect(readAgentFile(whole).isCut).toBe(false);
    for (const share of [0.2, 0.5, 0.9]) {
      expect(readAgentFile(whole.subarray(0, whole.length * share)).isCut, `${share}`).toBe(true);
    }
    const lookless = await spoilt('.looks');
    expect(lookless.recording.warnings.join()).toContain('the trace is damaged');
    expect(lookless.native.unreleased.length).toBeGreaterThan(0);
  });

  test('a program with known allocations: every site, thread, count and byte', async () => {
    const { heap } = expectedOfLeaks();
    const { status, path } = await record('exact', nativeSamplePath('leaks'));
    expect(status).toBe(0);
    const trace = await openTrace(path);
    const { allocated, released, fleeting, peak } = trace.native;
    const expected = (pick: (row: ExpectedHeap) => number) =>
      without0(Object.fromEntries(heap.map((row) => [`${row.function} in ${row.thread}`, pick(row)])));
    const seen = (table: AllocationTable, column: 'bytes' | 'count') =>
      without0(bySite(trace, table, heap, (row) => table[column][row]));

    expect(seen(allocated, 'bytes')).toEqual(expected((row) => row.allocated.bytes));
    expect(seen(allocated, 'count')).toEqual(expected((row) => row.allocated.count));
    expect(seen(released, 'bytes')).toEqual(expected((row) => row.allocated.bytes - row.unreleased.bytes));
    expect(seen(released, 'count')).toEqual(expected((row) => row.allocated.count - row.unreleased.count));
    expect(seen(fleeting, 'count')).toEqual(expected((row) => row.temporaryCount));
    expect(seen(peak, 'bytes')).toEqual(expected((row) => row.peak.bytes));
    expect(seen(peak, 'count')).toEqual(expected((row) => row.peak.count));

    // What containers allocate belongs to who uses them.
    const functions = async (...flags: string[]) => {
      const { rows } = await ask(
        'top',
        path,
        '--kind',
        'native-heap',
        '--by',
        'function',
        '--metric',
        'allocated',
        ...flags,
      );
      return rows.filter((row) => row.bytes > 0).map((row) => row.name);
    };
    expect((await functions()).filter((name) => name.includes('std::'))).not.toEqual([]);
    expect((await functions('--hide-system')).filter((name) => name.includes('std::'))).toEqual([]);
  });

  test.each(['exact', 'sampled'])(
    'blocks that come back at an address another thread freed, in %s mode',
    async (mode) => {
      const { status, path } = await record(mode, nativeSamplePath('handover'), '2000');
      expect(status).toBe(0);
      const rows = async (metric: string) => {
        const answer = await ask('top', path, '--kind', 'native-heap', '--by', 'function', '--metric', metric);
        return ['give', 'keep'].map((name) => answer.rows.find((row) => row.name === name));
      };
      const [given, kept] = await rows('allocated');
      const [left, leaked] = await rows('unreleased');
      expect(left?.bytes ?? 0).toBe(0);
      if (mode === 'exact') {
        expect([given, kept, leaked].map((row) => [row?.bytes, row?.count])).toEqual(Array(3).fill([10_000_000, 2000]));
        return;
      }
      // 147 samples are expected of each: five standard deviations.
      for (const row of [given, kept, leaked]) expect(Math.abs((row?.bytes ?? 0) - 10_000_000)).toBeLessThan(4_000_000);
    },
  );

  test('what is live is the same however the program ends', async () => {
    const live = async (how: string) => {
      const { path } = await record('exact', nativeSamplePath('endings'), how);
      const { rows } = await ask('top', path, '--kind', 'native-heap', '--by', 'line');
      return rows.filter((row) => row.file?.includes('endings')).map((row) => [row.line, row.bytes, row.count]);
    };
    const found = await live('_exit');
    expect(found.length).toBeGreaterThan(0);
    for (const ending of ['exit', 'abort', 'segv', 'kill', 'last-thread'])
      expect(await live(ending), ending).toEqual(found);
  });

  test.each(['exact', 'sampled'])('what is in memory of what is left, in %s mode', async (mode) => {
    const path = join(folder, `written-${mode}.memsurge`);
    const args = ['run', '--native', mode, '-o', path, '--', nativeSamplePath('written')];
    const { child, finished } = startMemsurge(...args);
    // Only then it releases most of what was measured.
    await until(() => measuredBytes(`${path}.recording`) > 32 * MiB);
    child.stdin?.end('\n');
    expect((await finished).status).toBe(0);
    const { rows } = await ask('top', path, '--kind', 'native-heap', '--by', 'function');
    // A sampled block of 1 MiB stands for itself and 2 bytes in 10^7.
    const whole = (bytes = 0) => Math.round(bytes / 1024) / 1024;
    const found = (name: string) => {
      const row = rows.find((one) => one.name === name);
      return [whole(row?.bytes), whole(row?.residentBytes)];
    };
    expect(found('keep_written')).toEqual([16, 16]);
    expect(found('release_most')).toEqual([4, 4]);
    const [unwritten, resident] = found('keep_unwritten');
    expect(unwritten).toBe(16);
    expect(resident).toBeLessThan(1);
  });

  test.skipIf(whyNoNamespaces() !== undefined)(
    'processes that know themselves by the same pid (needs root)',
    async () => {
      const path = join(folder, 'namespaces.memsurge');
      const inside = `unshare --pid --fork --mount-proc ${nativeSamplePath('written')} <&3 &`;
      const script = `exec 3<&0; ${inside} ${inside} wait`;
      const { child, finished } = startMemsurge('run', '--native', 'exact', '-o', path, '--', 'sh', '-c', script);
      await until(() => child.exitCode !== null || measuredBytes(`${path}.recording`) > 64 * MiB);
      child.stdin?.end('\n');
      await finished;
      const { rows } = await ask('top', path, '--kind', 'native-heap', '--by', 'process');
      const two = rows.filter((row) => row.name.startsWith('written'));
      expect(two.map((row) => Math.round(row.bytes / MiB))).toEqual([36, 36]);
      const { processes, series } = await openTrace(path);
      const written = processes.name.flatMap((name, row) => (name === 'written' ? [row] : []));
      expect(written.length).toBe(2);
      for (const row of written) {
        expect(processes.pid[row]).not.toBe(1);
        const rss = series.find((one) => one.name === 'rss' && one.process === row);
        expect(Math.max(...(rss?.value ?? []))).toBeGreaterThan(32 * MiB);
        expect(Math.max(...(rss?.value ?? []))).toBeLessThan(64 * MiB);
      }
    },
  );

  test.skipIf(whyNoNamespaces() !== undefined)(
    'short ones of the same pid are not taken for one (needs root)',
    async () => {
      const inside = (program: string) => `unshare --pid --fork --mount-proc ${program}`;
      const { path } = await record('exact', 'sh', '-c', `${inside('true')}; sleep 0.3; ${inside('uname')}`);
      const { name } = (await openTrace(path)).processes;
      expect(name.filter((one) => one === 'true' || one === 'uname').sort()).toEqual(['true', 'uname']);
    },
  );

  test('a process that becomes another program has one line over time, in the order of the programs', async () => {
    const { path } = await record('exact', 'sh', '-c', `sleep 0.3; exec ${nativeSamplePath('handover')} 500`);
    const { series, processes } = await openTrace(path);
    const row = processes.name.indexOf('handover');
    const lines = series.filter((one) => one.name === 'native-live' && one.process === row);
    expect(lines.length).toBe(1);
    const [{ time, value }] = lines;
    expect([...time]).toEqual([...time].sort((a, b) => a - b));
    // The shell has less than 100 KB, the program keeps 500 blocks of 5,000 bytes.
    expect(value.at(-1)).toBeGreaterThan(2_500_000);
    expect(value.at(-1)).toBeLessThan(2_700_000);
  });

  test('compiled C# methods without a frame pointer are not lost', async () => {
    const { path } = await record('exact', samplePath('frameless'));
    const trace = await openTrace(path);
    const { allocated } = trace.native;
    const stacks = Array.from(new Set(allocated.stack), (stack) => framesOf(trace, stack).join(' < '));
    expect(stacks.filter((stack) => /Tiny3 < .*Tiny2 < .*Tiny1 < /.test(stack)).length).toBeGreaterThan(0);
  });

  test('a wrong mode or mean is refused, and --native off leaves no trace of the agent', async () => {
    expect((await memsurge('run', '--native', 'every', '--', 'true')).status).toBe(2);
    expect((await memsurge('run', '--sample-bytes', '12', '--', 'true')).status).toBe(2);
    const { path } = await record('off', 'env');
    expect((await openTrace(path)).processes.nativeSource).toEqual(['none']);
  });
});
