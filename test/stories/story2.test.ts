import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TreeRow } from '../../src/query/tree.ts';
import { ask, memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { FRAMEWORKS, type Framework, samplePath, whyNoNativeSamples } from '../support/samples.ts';

const MiB = 1024 * 1024;
/** What the program leaks through each function of its library, from one thread each. */
const LEAKED: Record<string, number> = { HeapMalloc1: 2048 * MiB, HeapMalloc2: 800 * MiB, HeapMalloc3: 640 * MiB };

const source = fileURLToPath(new URL('../../samples/story2/example.cpp', import.meta.url));
const lineOf = (name: string): number => {
  const lines = readFileSync(source, 'utf8').split('\n');
  const start = lines.findIndex((line) => line.includes(`${name}(int`));
  return start + 1 + lines.slice(start).findIndex((line) => line.includes('malloc(bytes)'));
};

const unable = whyNoNativeSamples();

let folder: string;
beforeAll(async () => {
  folder = await scratchFolder();
});

async function record(framework: Framework, mode: string): Promise<string> {
  const trace = join(folder, `${mode}-${framework}.memsurge`);
  const program = [samplePath('story2', framework), '--delay', '30'];
  const { status, stdout } = await memsurge('run', '--native', mode, '-o', trace, '--', ...program);
  expect(status).toBe(0);
  expect(stdout).toContain('3488 MiB leaked');
  return trace;
}

/** The names on the way from the allocating function to its outermost caller. */
function path(rows: readonly TreeRow[]): string[] {
  return rows.length === 0 ? [] : [rows[0].name, ...path(rows[0].children)];
}

describe.skipIf(unable !== undefined).each(FRAMEWORKS)(`story 2 on %s${unable ? ` (${unable})` : ''}`, (framework) => {
  test('is told to the byte in exact mode', async () => {
    const trace = await record(framework, 'exact');
    const native = (...args: string[]) => ask('top', trace, '--kind', 'native-heap', ...args);

    const functions = await native('--by', 'function');
    expect(functions.metric).toBe('unreleased');
    expect(functions.accuracy).toBe('exact');
    const leaked = functions.rows.filter((row) => row.name in LEAKED);
    expect(Object.fromEntries(leaked.map((row) => [row.name, row.bytes]))).toEqual(LEAKED);
    expect(functions.rows.slice(0, 3).map((row) => row.name)).toEqual(Object.keys(LEAKED));
    // Requested, but never written: next to nothing of it is in memory.
    for (const row of leaked) expect(row.residentBytes ?? 0).toBeLessThan(MiB);

    const threads = await native('--by', 'thread', '--function', 'HeapMalloc*');
    expect(threads.rows.map((row) => [row.name.replace(/ \(\d+\)/, ''), row.bytes])).toEqual([
      ['leaker-1', LEAKED.HeapMalloc1],
      ['leaker-2', LEAKED.HeapMalloc2],
      ['leaker-3', LEAKED.HeapMalloc3],
    ]);

    const lines = await native('--by', 'line', '--function', 'HeapMalloc1');
    expect(lines.rows[0]).toMatchObject({ file: source, line: lineOf('HeapMalloc1'), bytes: LEAKED.HeapMalloc1 });

    const callers = await ask('tree', trace, '--callers', '--kind', 'native-heap', '--function', 'HeapMalloc1');
    const names = path(callers.rows as readonly TreeRow[]);
    // Up to .NET 9 StartCallback ends in a jump to the lambda and leaves no frame.
    const outermost = ['net8.0', 'net9.0'].includes(framework) ? [] : ['Thread.StartCallback'];
    // From .NET 11 on the stub is the compiled body of the extern method.
    const stub = framework === 'net11.0' ? 'Program.HeapMalloc1' : 'IL_STUB_PInvoke';
    const way = ['HeapMalloc1', stub, 'Program.Leak', 'Main.<lambda>', ...outermost, 'clone'];
    const places = way.map((part) => names.findIndex((name) => name.includes(part)));
    expect(places, names.join(' < ')).toEqual([0, ...places.slice(1).sort((a, b) => a - b)]);

    const report = await memsurge('report', trace);
    for (const word of ['never released', 'HeapMalloc1', `example.cpp:${lineOf('HeapMalloc1')}`]) {
      expect(report.stdout).toContain(word);
    }
    expect(statSync(trace).size).toBeLessThan(1e6);
  });

  test('is told to the byte by an attached recording, from then on', async () => {
    const { child, finished, output } = start(samplePath('story2', framework), ['--wait-for-enter', '--delay', '30']);
    await until(() => output().includes('waits for Enter'));
    const trace = join(folder, `attach-${framework}.memsurge`);
    const recorder = startMemsurge('attach', String(child.pid), '--native', 'exact', '-o', trace);
    let said = '';
    recorder.child.stderr?.on('data', (text) => {
      said += text;
    });
    await until(() => said.includes('with its native memory'));
    child.stdin?.write('\n');
    const { status, stdout } = await finished;
    expect([status, stdout.includes('3488 MiB leaked')]).toEqual([0, true]);
    expect((await recorder.finished).status).toBe(0);
    const { rows, warnings, before } = await ask('top', trace, '--kind', 'native-heap', '--by', 'function');
    expect(before).toBeGreaterThan(500_000);
    expect(before).toBeLessThan(100_000_000);
    const leaked = rows.filter((row) => row.name in LEAKED);
    expect(Object.fromEntries(leaked.map((row) => [row.name, row.bytes]))).toEqual(LEAKED);
    expect(warnings.join('\n')).toContain('native blocks from before the recording were released since');
  });

  test('is told within its stated error in sampled mode', async () => {
    const { rows } = await ask('top', await record(framework, 'sampled'), '--kind', 'native-heap', '--by', 'function');
    for (const [name, bytes] of Object.entries(LEAKED)) {
      const row = rows.find((one) => one.name === name)!;
      expect(Math.abs(row.bytes - bytes)).toBeLessThanOrEqual(1 + (row.error ?? 0) * row.bytes);
    }
  });
});
