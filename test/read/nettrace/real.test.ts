import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProcessCapture, StreamCapture } from '../../../src/read/nettrace/capture.ts';
import { readNettrace } from '../../../src/read/nettrace/index.ts';
import { collectionsOf } from '../../support/rows.ts';

const PROJECT = `<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType>
<TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup></Project>`;

/** Prints what the runtime counted itself. */
const PROGRAM = `
using System.Diagnostics.Tracing;
var threads = Enumerable.Range(0, 3).Select(_ => new Thread(() => Work.Fill())).ToList();
threads.ForEach(t => t.Start());
threads.ForEach(t => t.Join());
Demo.Log.Write("Nested", new { A = 1, B = new[] { 1, 2, 3 }, C = new { D = "q" } });
GC.Collect();
GC.Collect(2, GCCollectionMode.Forced, false);
Console.WriteLine($$"""{"pid":{{Environment.ProcessId}},"gcs":{{GC.CollectionCount(0)}},"full":{{GC.CollectionCount(2)}},"allocated":{{GC.GetTotalAllocatedBytes(true)}},"pause":{{GC.GetTotalPauseDuration().TotalMilliseconds}}}""");

[EventSource(Name = "Demo")] sealed class Demo : EventSource { public static readonly Demo Log = new(); }
class Item<T> { public T Value = default!; public byte[] Data = new byte[200]; }
static class Work
{
    [ThreadStatic] static object? last;
    public static void Fill()
    {
        for (var i = 0; i < 100_000; i++) last = new Item<int>();
        for (var i = 0; i < 100; i++) last = new byte[300_000];
        for (var i = 0; i < 100; i++) last = GC.AllocateArray<int>(30_000, pinned: true);
    }
}
`;

interface Truth {
  pid: number;
  gcs: number;
  full: number;
  allocated: number;
  pause: number;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'memsurge-nettrace-'));
  writeFileSync(join(folder, 'real.csproj'), PROJECT);
  writeFileSync(join(folder, 'Program.cs'), PROGRAM);
  execFileSync('dotnet', ['build', '-c', 'Release', '-o', 'out', '-v', 'q'], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the program; the runtime itself writes the stream, so no part of memsurge but the reader takes part. */
async function record(
  name: string,
  keywords: string,
): Promise<{ truth: Truth; capture: StreamCapture; process: ProcessCapture }> {
  const file = join(folder, `${name}.nettrace`);
  const env = {
    ...process.env,
    DOTNET_EnableEventPipe: '1',
    DOTNET_EventPipeOutputPath: file,
    DOTNET_EventPipeCircularMB: '256',
    DOTNET_EventPipeConfig: `Microsoft-Windows-DotNETRuntime:${keywords}:5,Microsoft-Windows-DotNETRuntimeRundown:0x80020139:5,Demo:0xffffffff:5`,
  };
  const output = execFileSync('dotnet', [join(folder, 'out', 'real.dll')], { env, encoding: 'utf8' });
  const capture = await readNettrace([readFileSync(file)]);
  return { truth: JSON.parse(output), capture, process: capture.processes[0] };
}

/** Sum of `amount` by type name and heap. */
function bytesBy(process: ProcessCapture): Map<string, number> {
  const sums = new Map<string, number>();
  const { length, type, heap, amount } = process.allocations;
  for (let i = 0; i < length; i++) {
    const key = `${process.types[type[i]].name} ${heap[i]}`;
    sums.set(key, (sums.get(key) ?? 0) + amount[i]);
  }
  return sums;
}

/** Names of the code on a stack, the leaf first; undefined where none is known. */
function namesOf(process: ProcessCapture, stack: number): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (let row = stack; row >= 0; row = process.stacks.prefix[row]) {
    const address = process.stacks.address[row];
    names.push(process.code.find((body) => address >= body.start && address < body.start + body.size)?.name);
  }
  return names;
}

function checkCommon({ truth, capture, process }: Awaited<ReturnType<typeof record>>): void {
  expect(capture).toMatchObject({
    format: 'nettrace',
    version: 4,
    pointerSize: 8,
    eventsLost: 0,
    truncated: undefined,
  });
  expect(Math.abs(capture.startedAt - Date.now())).toBeLessThan(10 * 60_000);
  expect(capture.processes).toHaveLength(1);
  expect(process.pid).toBe(truth.pid);
  expect(process.runtime).toMatch(/^\.NET 10\.0\.\d+$/);
  expect(process.commandLine).toContain('real.dll');
  const nested = capture.eventCounts.find((event) => event.provider === 'Demo' && event.name === 'Nested');
  expect(nested?.count).toBe(1);
  const { time } = process.allocations;
  for (let i = 1; i < time.length; i++) expect(time[i]).toBeGreaterThanOrEqual(time[i - 1]);

  expect([...process.gcs.number]).toEqual(Array.from({ length: truth.gcs }, (_, i) => i + 1));
  expect(process.gcs.depth.filter((depth) => depth === 2)).toHaveLength(truth.full);
  const pause = process.gcs.pause.reduce((sum, ns) => sum + ns, 0) / 1e6;
  expect(pause).toBeGreaterThan(truth.pause * 0.8);
  for (const gc of collectionsOf(process.gcs).filter((one) => one.type === 'blocking')) {
    expect(gc.end).toBeGreaterThan(gc.start);
    expect(gc.committed).toBeGreaterThan(gc.size.reduce((sum, size) => sum + size, 0) * 0.5);
    for (const [generation, free] of gc.free.entries()) expect(free).toBeLessThanOrEqual(gc.size[generation]);
  }

  const fill = process.code.filter((body) => body.name === 'Fill' && body.namespace === 'Work');
  expect(fill.some((body) => body.ilMap !== undefined)).toBe(true);
  const module = process.modules.find((one) => one.path.endsWith('real.dll'));
  expect(module?.pdbGuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  expect(fill[0].moduleId).toBe(module?.moduleId);
}

function checkStacks(process: ProcessCapture): void {
  let large = 0;
  const { length, objectSize, stack } = process.allocations;
  for (let i = 0; i < length; i++) {
    if (objectSize[i] < 300_000) continue;
    large++;
    const names = namesOf(process, stack[i]);
    expect(names).toContain('Fill');
    expect(names.at(-1), 'rooted in the start of a thread').toMatch(/Start/);
    expect(names).not.toContain(undefined);
  }
  expect(large).toBe(300);
}

describe('a real process', () => {
  test('allocation ticks', async () => {
    const recorded = await record('ticks', '0x20039');
    checkCommon(recorded);
    const { process, truth } = recorded;
    expect(process.allocationSource).toBe('allocation-tick');
    const total = process.allocations.amount.reduce((sum, amount) => sum + amount, 0);
    expect(total / truth.allocated).toBeGreaterThan(0.95);
    expect(total / truth.allocated).toBeLessThan(1.05);
    const sums = bytesBy(process);
    expect(sums.get('System.Byte[] 2')! / 90e6).toBeCloseTo(1, 1);
    expect(sums.get('System.Int32[] 3')! / 36e6).toBeCloseTo(1, 1);
    checkStacks(process);
  });

  test('randomized sampling', async () => {
    const recorded = await record('sampled', '0x80000020039');
    checkCommon(recorded);
    const { process } = recorded;
    expect(process.allocationSource).toBe('allocation-sampled');
    const large = process.allocations.objectSize.filter((size) => size > 300_000);
    expect(large.length).toBeGreaterThan(250);
    expect(process.types.map((type) => type.name)).toContain('Item`1[System.Int32]');
  });

  test('sampled objects named by type events', async () => {
    const { process, truth } = await record('objects', '0x1280039');
    const total = process.allocations.amount.reduce((sum, amount) => sum + amount, 0);
    expect(total / truth.allocated).toBeGreaterThan(0.9);
    expect(process.types.filter(({ name }) => name.startsWith('unknown type'))).toEqual([]);
    expect(process.types.map((type) => type.name)).toContain('Item`1[System.Int32]');
  });
});

describe('recorded streams', () => {
  const fixture = (name: string) =>
    gunzipSync(readFileSync(new URL(`../../fixtures/${name}.nettrace.gz`, import.meta.url)));

  test('ticks without symbols', async () => {
    const capture = await readNettrace([fixture('ticks')]);
    expect(capture).toMatchObject({ events: 182, eventsLost: 0, truncated: undefined });
    const [process] = capture.processes;
    const cut = await readNettrace([fixture('ticks').subarray(0, -1)]);
    expect([capture.isCut, cut.isCut]).toEqual([false, true]);
    expect([process.isWhole, cut.processes[0].isWhole]).toEqual([true, true]);
    expect(process).toMatchObject({
      pid: 29997,
      runtime: '.NET 10.0.12',
      allocationSource: 'allocation-tick',
      code: [],
    });
    expect(collectionsOf(process.gcs).map((gc) => gc.number)).toEqual([1, 2, 3, 4]);
    expect(collectionsOf(process.gcs).at(-1)?.reason).toBe('induced');
    // The runtime states the size it asked its allocator for, with padding or without the header.
    const sizes = Array.from(process.allocations.objectSize);
    expect(sizes.filter((size) => Math.abs(size - 1_000_024) < 64)).toHaveLength(20);
    expect(sizes.filter((size) => Math.abs(size - 200_024) < 64)).toHaveLength(40);
  });

  test('sampled allocations with code, IL maps and modules', async () => {
    const capture = await readNettrace([fixture('sampled')]);
    const [process] = capture.processes;
    expect(process).toMatchObject({ runtime: '.NET 10.0.12', allocationSource: 'allocation-sampled' });
    const [fill] = process.code.filter((body) => body.name === 'Fill');
    expect(fill).toMatchObject({ namespace: 'Large', origin: 'jit', optimized: false });
    expect(fill.ilMap?.native.length).toBeGreaterThan(3);
    const large = Array.from(process.allocations.objectSize).flatMap((size, i) => (size === 1_000_024 ? [i] : []));
    expect(large).toHaveLength(20);
    for (const i of large) expect(namesOf(process, process.allocations.stack[i])).toContain('Fill');
  });
});
