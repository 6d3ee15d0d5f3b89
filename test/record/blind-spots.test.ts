import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../support/long.ts';
import { ask, read, scratchFolder, start } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { samplePath, whyNoNativeSamples } from '../support/samples.ts';

const folder = await scratchFolder();
const unable = whyNoNativeSamples();
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const ALLOCATORS = ['libjemalloc.so.2', 'libmimalloc.so.2', 'libtcmalloc_minimal.so.4'];
let made = 0;

async function record(options: readonly string[], command: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const path = join(folder, `${++made}.memsurge`);
  const args = [join(ROOT, 'bin', 'memsurge.js'), 'run', ...options, '-o', path, '--', ...command];
  const { status } = await start(process.execPath, args, { ...process.env, ...env }).finished;
  expect(status).toBe(0);
  return path;
}

const reportOf = async (path: string) => (await read('report', path)).stdout.split('\n').slice(0, 24).join('\n');

describe.skipIf(unable !== undefined)('what is not recorded has its sentence', () => {
  test('a program that loses the agent when it becomes another one', async () => {
    const script = 'sleep 0.3; export LD_PRELOAD=libm.so.6; exec sleep 2';
    const path = await record([], ['sh', '-c', script]);
    const text =
      /sleep \(\d+\): native memory was not recorded since its exec at (\d+\.\d\d) s: LD_PRELOAD was replaced by "libm.so.6"/;
    const told = await reportOf(path);
    expect(told).toMatch(text);
    const since = `${text.exec(told)?.[1]}s`;
    const { stdout } = await read('top', path, '--kind', 'native-heap', '--process', 'sleep', '--from', since);
    expect(stdout.replaceAll('\n', ' ')).toMatch(text);
    expect(stdout).not.toContain('Nothing was allocated');
  });

  test.each([
    ['at its start', ['env', '-i', 'sleep', '1']],
    ['at its start, and ends at once', ['env', '-i', 'true']],
    ['as a child', ['sh', '-c', 'env -i sleep 1; true']],
    ['as a child, and ends at once', ['sh', '-c', 'env -i true; true']],
    ['without what tells it where to record', ['sh', '-c', 'unset MEMSURGE_AGENT; exec sleep 1']],
    ['without room for its file', ['sh', '-c', 'ulimit -f 0; exec sleep 3']],
  ])('one that loses it %s', async (_, command) => {
    const path = await record([], command);
    const told = await reportOf(path);
    expect(told.match(/\(\d+\): native memory was not recorded since its exec .*/g), told).toHaveLength(1);
  });

  test('children that are started without it at once', async () => {
    const script = 'require("child_process").spawnSync("/bin/true", { env: {} })';
    const path = await record([], [process.execPath, '-e', script]);
    const { warnings } = await ask('top', path, '--kind', 'native-heap');
    expect(warnings.join('\n')).toMatch(/(it started 1 process that is in no native figure|since its exec)/);
  });

  test.each([
    ['system', 'os.system("sleep 0.2")'],
    ['popen', 'ctypes.CDLL(None).popen(b"sleep 0.2", b"r")'],
  ])('children that are started without it by %s', async (_, call) => {
    const script = `import os, ctypes; del os.environ["LD_PRELOAD"]; ${call}`;
    const path = await record([], ['/usr/bin/python3', '-c', script]);
    const { warnings } = await ask('top', path, '--kind', 'native-heap');
    expect(warnings.join('\n')).toContain('it started 1 process that is in no native figure; the last was /bin/sh');
  });

  const isRoot = process.geteuid?.() === 0;
  const forked = (before: string) => [
    '/usr/bin/python3',
    '-c',
    `import os\n${before}\nif os.fork() == 0:\n kept = bytearray(10_000_000)\n os._exit(0)\nos.wait()`,
  ];

  test.skipIf(!isRoot)('workers of a server that became another user are recorded (needs root)', async () => {
    const path = await record(['--native', 'exact'], forked('os.setuid(65534)'));
    const { rows, warnings } = await ask('top', path, '--kind', 'native-heap', '--by', 'process');
    expect(rows).toHaveLength(2);
    expect(rows[0].bytes - rows[1].bytes).toBeGreaterThan(9_000_000);
    expect(warnings.join()).not.toContain('no native figure');
  });

  test.skipIf(!isRoot)('children behind another root are told of, however short they live (needs root)', async () => {
    const path = await record(['--native', 'exact'], forked(`os.chroot(${JSON.stringify(folder)})`));
    const { warnings } = await ask('top', path, '--kind', 'native-heap');
    expect(warnings.join('\n')).toMatch(
      /it started 1 process that is in no native figure; the last was \S*python\S*: the recording's folder cannot be reached from it/,
    );
  });

  test('one that takes the agent along is told of', async () => {
    const path = await record([], ['sh', '-c', 'sleep 0.3; exec sleep 1']);
    expect((await ask('top', path, '--kind', 'native-heap')).warnings.join()).not.toContain('exec');
  });

  test('a .NET program whose diagnostics are off', async () => {
    for (const name of ['DOTNET_EnableDiagnostics', 'DOTNET_EnableDiagnostics_IPC']) {
      const path = await record([], [samplePath('hello')], { [name]: '0' });
      const text = `no managed memory was recorded: ${name}=0 in its environment`;
      expect((await reportOf(path)).replaceAll(/\s+/g, ' ')).toContain(text);
      if (name === 'DOTNET_EnableDiagnostics_IPC') continue;
      const kind = ['--kind', 'gc-heap'];
      for (const asked of [['top', ...kind], ['tree', ...kind], ['timeline', ...kind], ['heap']]) {
        const { stdout } = await read(...asked, path);
        expect(stdout.replaceAll(/\s+/g, ' '), asked[0]).toContain(text);
      }
    }
  });

  test('native memory that was not asked for', async () => {
    const path = await record(['--native', 'off'], [samplePath('hello')]);
    const { stdout } = await read('top', path, '--kind', 'native-heap', '--by', 'function');
    expect(stdout).toContain('Not recorded: native memory was not recorded: --native off.');
    expect(await reportOf(path)).toContain('--native off');
  });
});

/** `keep` holds 20,000,000 bytes of blocks, `map_own` a mapping of 4 MiB. */
const PROGRAM = `
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static void *kept[20000];
__attribute__((noinline)) void keep(void) { for (int i = 0; i < 20000; i++) memset(kept[i] = malloc(1000), 1, 1000); }
__attribute__((noinline)) void *map_own(void) { return mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
int main(void) { keep(); return map_own() == MAP_FAILED; }
`;

describe.skipIf(unable !== undefined)("an allocator's chunks are not the program's mapped memory", () => {
  const program = join(folder, 'program');
  const compile = (output: string, ...rest: string[]) =>
    execFileSync('gcc', ['-O1', '-g', '-pthread', '-o', output, `${program}.c`, ...rest]);

  beforeAll(async () => {
    await writeFile(`${program}.c`, PROGRAM);
    compile(program);
  });

  const bytesOf = async (path: string, kind: string, fn: string) => {
    const { rows, total } = await ask('top', path, '--kind', kind, '--by', 'function');
    return [rows.find(({ name }) => name === fn)?.bytes, total.bytes];
  };

  test.each(ALLOCATORS)('%s, preloaded and linked', async (name) => {
    const library = join(LIBRARIES, name);
    expect(existsSync(library), `${library} is missing: run node scripts/judges.mjs`).toBe(true);
    const paths = [await record(['--native', 'exact'], [program], { LD_PRELOAD: library })];
    if (isLong || name.includes('jemalloc')) {
      compile(`${program}-linked`, library);
      paths.push(await record(['--native', 'exact'], [`${program}-linked`]));
    }
    for (const path of paths) {
      expect(await bytesOf(path, 'native-heap', 'keep')).toEqual([20_000_000, expect.any(Number)]);
      expect(await bytesOf(path, 'mapped', 'map_own')).toEqual([4 << 20, 4 << 20]);
      const { warnings } = await ask('top', path, '--kind', 'mapped');
      expect(warnings.join()).toMatch(/(jemalloc|mimalloc|tcmalloc) holds \d+\.\d MiB of the system's memory/);
    }
  });

  const OPERATORS = `
#include <new>
static void *volatile sink;
#define FOR_100 for (int i = 0; i < 100; i++)
extern "C" {
__attribute__((noipa)) void aligned(void) { FOR_100 sink = operator new(200, std::align_val_t(64)); }
__attribute__((noipa)) void usual(void) { FOR_100 sink = operator new(100); }
__attribute__((noipa)) void brief(void) { FOR_100 { sink = operator new(100); operator delete(sink); } }
__attribute__((noipa)) void briefly_aligned(void) {
  FOR_100 { sink = operator new[](200, std::align_val_t(64)); operator delete[](sink, std::align_val_t(64)); }
}
}
int main() { aligned(); usual(); brief(); briefly_aligned(); }
`;
  const COUNTS = { aligned: [100, 100], usual: [100, 100], brief: [100, 0], briefly_aligned: [100, 0] };

  test('operators of C++ that an allocator brings along, of which some end in its malloc', async () => {
    await writeFile(`${program}.cpp`, OPERATORS);
    execFileSync('g++', ['-std=c++17', '-O1', '-g', '-o', `${program}-operators`, `${program}.cpp`]);
    for (const name of [undefined, ...ALLOCATORS]) {
      const env = name === undefined ? {} : { LD_PRELOAD: join(LIBRARIES, name) };
      const path = await record(['--native', 'exact'], [`${program}-operators`], env);
      const countsOf = async (metric: string) => {
        const answer = await ask('top', path, '--kind', 'native-heap', '--by', 'function', '--metric', metric);
        expect(answer.accuracy, name).toBe('exact');
        return (fn: string) => answer.rows.find((row) => row.name === fn)?.count ?? 0;
      };
      const [allocated, left] = [await countsOf('allocated'), await countsOf('unreleased')];
      const counts = Object.keys(COUNTS).map((fn) => [fn, [allocated(fn), left(fn)]]);
      expect(Object.fromEntries(counts), name).toEqual(COUNTS);
    }
  });

  test('jemalloc, linked statically: its blocks are not seen, and what it takes is native heap', async () => {
    compile(`${program}-static`, join(LIBRARIES, 'libjemalloc.a'), '-ldl', '-lm', '-lstdc++');
    const path = await record([], [`${program}-static`]);
    expect(await bytesOf(path, 'mapped', 'map_own')).toEqual([4 << 20, 4 << 20]);
    const [keep, all] = await bytesOf(path, 'native-heap', 'keep');
    expect(keep).toBeGreaterThan(18e6);
    expect(all).toBeGreaterThanOrEqual(keep ?? 0);
    const { warnings } = await ask('top', path, '--kind', 'native-heap');
    expect(warnings.join()).toContain('of its own allocator (jemalloc) the blocks are not seen');
  });

  test('what the .NET runtime maps for itself is its own', async () => {
    const path = await record([], [samplePath('hello')]);
    const { rows } = await ask('top', path, '--by', 'kind', '--metric', 'allocated');
    const of = (kind: string) => rows.find(({ name }) => name === kind)?.bytes ?? 0;
    expect(of('runtime')).toBeGreaterThan(8 << 20);
    expect(of('mapped')).toBeLessThan(4 << 20);
    const mapped = (await reportOf(path)).split('Mapped memory')[1] ?? '';
    expect(mapped.split('\n\n')[0]).not.toContain('libcoreclr');
  });
});
