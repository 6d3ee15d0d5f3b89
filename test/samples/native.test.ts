import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { scratchFolder, start } from '../support/memsurge.ts';
import { type Framework, nativeSamplePath, samplePath, whyNoNativeSamples } from '../support/samples.ts';

// The samples do what other tests take for granted.

const missing = whyNoNativeSamples();
beforeEach(({ skip }) => skip(missing !== undefined, missing));

const folder = await scratchFolder();
const run = (command: string, ...args: string[]) => start(command, args).finished;

const FRAMEWORKS: readonly Framework[] = ['net8.0', 'net9.0', 'net10.0'];

test.for(FRAMEWORKS)('story 2 leaks 2048, 800 and 640 MiB on %s', async (framework) => {
  const { status, stdout } = await run(samplePath('story2', framework), '--delay', '0');
  expect(status).toBe(0);
  const leaked: Record<string, number> = {};
  for (const [, name, bytes] of stdout.matchAll(/^(HeapMalloc\d): (\d+) bytes$/gm)) {
    leaked[name] = (leaked[name] ?? 0) + Number(bytes) / 2 ** 20;
  }
  expect(leaked).toEqual({ HeapMalloc1: 2048, HeapMalloc2: 800, HeapMalloc3: 640 });
});

test('the tiny methods of frameless have no frame pointer when they leak', async () => {
  const listing = join(folder, 'listing');
  const env = { ...process.env, DOTNET_JitDisasm: 'Tiny1 Tiny2', DOTNET_JitStdOutFile: listing };
  expect(await start(samplePath('frameless'), [], env).finished).toMatchObject({ status: 0 });
  const optimized = readFileSync(listing, 'utf8')
    .split('; Assembly listing for method ')
    .filter((method) => method.includes('(Tier1)'));
  expect(optimized.map((method) => /:(\w+)/.exec(method)?.[1]).sort()).toEqual(['Tiny1', 'Tiny2']);
  for (const method of optimized) expect(method).toContain('; rsp based frame');
});

describe('endings', () => {
  test.for([
    ...['return', 'exit', '_exit', 'thread', 'fork', 'fork-exec', 'vfork-exec', 'posix-spawn', 'system', 'exec'].map(
      (mode) => [mode, 0, null] as const,
    ),
    ['abort', null, 'SIGABRT'],
    ['segv', null, 'SIGSEGV'],
    ['kill', null, 'SIGKILL'],
    ['no such mode', 2, null],
  ] as const)('%s', async ([mode, status, signal]) => {
    expect(await run(nativeSamplePath('endings'), mode)).toMatchObject({ status, signal });
  });
});

test('churn tells the time of a pair, native and through P/Invoke', async () => {
  for (const [program, ...args] of [
    [nativeSamplePath('churn'), '1000', '24', '2', '16'],
    [samplePath('pinvoke-churn'), '1000', '24', '2'],
  ]) {
    const { pairs, depth, threads, nsPerPair } = JSON.parse((await run(program, ...args)).stdout);
    expect({ pairs, depth, threads }).toEqual({ pairs: 1000, depth: 24, threads: 2 });
    expect(nsPerPair).toBeGreaterThan(0);
  }
});
