import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { whyNoNative } from '../../src/record/native/library.ts';
import { whyNotInItself, whyNotPreloadable } from '../../src/record/native/program.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { ask, memsurge, scratchFolder, start, until } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';

const folder = await scratchFolder();
let number = 0;
const fresh = () => join(folder, `${number++}.memsurge`);
const X64 = 62;
const ARM64 = 183;

function executable(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}

/** The headers of a 64-bit program that asks for `loader`, which lies in the file at 8000. */
function elf(machine: number, loader: string): Buffer {
  const bytes = Buffer.alloc(8192);
  bytes.write('\x7fELF\x02\x01\x01', 'latin1');
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(2, 56);
  bytes.writeUInt32LE(1, 64); // PT_LOAD
  bytes.writeUInt32LE(3, 64 + 56); // PT_INTERP
  bytes.writeBigUInt64LE(8000n, 64 + 56 + 8);
  bytes.writeBigUInt64LE(BigInt(loader.length + 1), 64 + 56 + 32);
  bytes.write(loader, 8000);
  return bytes;
}

describe('what cannot be recorded is known before it starts', () => {
  test('by the machine and the loader that a program asks for', () => {
    const musl = executable('musl', elf(X64, '/lib/ld-musl-x86_64.so.1'));
    expect(whyNotPreloadable(musl)).toBe(
      `native memory of programs that are linked with musl cannot be recorded, and ${musl} is one`,
    );
    expect(whyNotPreloadable('musl', `/nonexistent:${folder}`)).toContain(musl);
    expect(whyNotPreloadable(executable('script', `#! ${musl} -x\n`))).toContain(musl);
    const arm = executable('arm', elf(ARM64, '/lib/ld-linux-aarch64.so.1'));
    expect(whyNotPreloadable(arm)).toContain(`x64 programs only, and ${arm} is not one`);
    expect(whyNotPreloadable(executable('glibc', elf(X64, '/lib64/ld-linux-x86-64.so.2')))).toBeUndefined();
  });

  test('what is no program, or damaged, is left to the attempt to start it', () => {
    const endless = join(folder, 'endless');
    executable('endless', `#!${endless}\n`);
    const cut = elf(X64, '/lib/ld-musl-x86_64.so.1').subarray(0, 100);
    for (const file of [
      executable('text', 'hello'),
      executable('empty', ''),
      executable('cut', cut),
      endless,
      folder,
    ]) {
      expect(whyNotPreloadable(file)).toBeUndefined();
    }
    expect(whyNotPreloadable('nobody-is-called-so')).toBeUndefined();
  });

  test('by the machine memsurge runs on', () => {
    expect(whyNoNative('arm64', true)).toBe('native memory can be recorded on x64 only, this is arm64');
    expect(whyNoNative('x64', false)).toContain('was not built');
    expect(whyNoNative('x64', true)).toBeUndefined();
  });
});

describe('a program that ignores LD_PRELOAD', () => {
  test('static: refused with a mode, before it starts; without one it runs, and what it starts is recorded', async () => {
    const source = executable(
      'static.c',
      '#include <stdlib.h>\n#include <stdio.h>\nint main(void) { puts("started"); fflush(stdout); return system("sort /dev/null"); }\n',
    );
    const program = join(folder, 'static');
    execFileSync('gcc', ['-static', '-o', program, source]);
    const why = `native memory of statically linked programs cannot be recorded, and ${program} is one`;
    const refused = await memsurge('run', '--native', 'exact', '-o', fresh(), '--', program);
    expect(refused).toMatchObject({
      status: 2,
      stdout: '',
      stderr: `memsurge: ${why}; leave out --native exact to record what it starts\n`,
    });
    const output = fresh();
    expect(await memsurge('run', '-o', output, '--', program)).toMatchObject({ status: 0, stdout: 'started\n' });
    const { rows } = await ask('top', output, '--by', 'process', '--kind', 'native-heap', '--metric', 'allocated');
    expect(rows.map((row) => row.name.split(' ')[0])).toContain('sort');

    const alone = executable('alone.c', 'int main(void) { return 3; }\n');
    execFileSync('gcc', ['-static', '-o', program, alone]);
    const silent = await memsurge('run', '-o', fresh(), '--', program);
    expect(silent.status).toBe(3);
    expect(silent.stderr).toContain(`memsurge: ${why}; no .NET runtime connected either\n`);
  });

  test.skipIf(process.getuid?.() !== 0)('set-user-id (needs root)', () => {
    const program = executable('setuid', elf(X64, '/lib64/ld-linux-x86-64.so.2'));
    expect(whyNotInItself(program)).toBeUndefined();
    chownSync(program, 65534, 65534);
    chmodSync(program, 0o4755);
    expect(whyNotInItself(program)).toBe(
      `native memory of set-user-id programs cannot be recorded, and ${program} is one`,
    );
  });
});

const withoutMusl = spawnSync('musl-gcc', ['--version']).error !== undefined && 'musl-gcc is not installed';
const unable = whyNoNativeSamples() ?? (withoutMusl || undefined);

describe.skipIf(unable !== undefined)(`programs linked with musl${unable ? ` (${unable})` : ''}`, () => {
  const source = executable(
    'program.c',
    '#include <stdio.h>\n#include <stdlib.h>\nint main(int argc, char **argv) {\n' +
      '  puts(malloc(1000) ? "here" : argv[0]);\n  fflush(stdout);\n  return argc > 1 ? getchar() : 3;\n}\n',
  );
  const program = join(folder, 'program');
  if (unable === undefined) execFileSync('musl-gcc', ['-o', program, source]);

  test('run without the agent, which is said in one line', async () => {
    const output = fresh();
    const { status, stdout, stderr } = await memsurge('run', '-o', output, '--', program);
    expect([status, stdout]).toEqual([3, 'here\n']);
    expect(stderr).toMatch(/^memsurge: native memory of programs that are linked with musl cannot .*: only managed/);
    expect((await openTraceFile(output)).manifest.processes).toMatchObject([{ name: 'program', exit: 'exit code 3' }]);
  });

  test.each(['sampled', 'exact'])('are refused with --native %s', async (mode) => {
    const { status, stdout, stderr } = await memsurge('run', '--native', mode, '-o', fresh(), '--', program);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^memsurge: native memory of programs that are linked with musl cannot .*; use --native off\n$/,
    );
  });

  test('are refused by attach', async () => {
    const { child, output, finished } = start(program, ['wait']);
    await until(() => output().includes('here'));
    const { status, stderr } = await memsurge('attach', String(child.pid), '-o', fresh());
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^memsurge: native memory of process \d+ .* musl[^\n]*\n$/),
    ]);
    child.stdin?.write('\x05');
    expect((await finished).status).toBe(5);
  });

  test('start as they do below a program that is recorded', async () => {
    const output = fresh();
    const command = ['sh', '-c', `${program}; echo $?; sort /dev/null`];
    const { status, stdout, stderr } = await memsurge('run', '--native', 'exact', '-o', output, '--', ...command);
    expect([status, stdout]).toEqual([0, 'here\n3\n']);
    expect(stderr).toMatch(/^memsurge: wrote [^\n]*\n$/);
    const { rows } = await ask('top', output, '--by', 'process');
    expect(rows.map((row) => row.name.split(' ')[0]).sort()).toEqual(['sh', 'sort']);
  });
});
