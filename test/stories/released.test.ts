import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ask, memsurge, read, scratchFolder } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';

/** Holds 24 MiB of blocks and 32 MiB of a mapping for a while, and gives all of it back before it ends. */
const PROGRAM = `
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 24, BLOCK = 1 << 20, MAPPED = 32 << 20 };
static char *blocks[BLOCKS];

__attribute__((noinline)) void grow(void) {
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = malloc(BLOCK);
    memset(blocks[i], i + 1, BLOCK);
  }
}

__attribute__((noinline)) char *map_all(void) {
  char *mapped = mmap(0, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(mapped, 1, MAPPED);
  return mapped;
}

int main(void) {
  usleep(300000);
  grow();
  char *mapped = map_all();
  usleep(900000);
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
  munmap(mapped, MAPPED);
  usleep(300000);
  return 0;
}
`;

const unable = whyNoNativeSamples();

describe.skipIf(unable !== undefined)(`a program that gives all back${unable ? ` (${unable})` : ''}`, () => {
  let folder: string;
  let program: string;
  beforeAll(async () => {
    folder = await scratchFolder();
    program = join(folder, 'released');
    writeFileSync(`${program}.c`, PROGRAM);
    execFileSync('cc', ['-O1', '-g', '-o', program, `${program}.c`]);
  });

  test.each([
    ['by default', []],
    ['exactly', ['--native', 'exact']],
  ])('recorded %s is reported with who held the peak, and in a part of it', async (_, options) => {
    const trace = join(folder, `${options.length}.memsurge`);
    expect((await memsurge('run', ...options, '-o', trace, '--', program)).status).toBe(0);
    const report = await read('report', trace);
    expect(report.stdout).toMatch(
      /Peak: +released \(\d+\) at its highest, at .*: grow \d+(\.\d+)? % \(2[3-5](\.\d+)? MiB/,
    );
    expect(report.stdout).toMatch(/nothing of the native heap was left/);
    const next = /^ {2}memsurge (top .* --metric peak.*)$/m.exec(report.stdout)?.[1].split(' ') ?? [];
    expect((await read(...next)).stdout).toMatch(/MiB .* grow/);

    const { rows } = (await ask('timeline', trace)) as unknown as { rows: { to: number }[] };
    const end = rows.at(-1)!.to;
    const range = ['--from', `${Math.round(end * 0.1)}ns`, '--to', `${Math.round(end * 0.5)}ns`];
    const part = await read('report', trace, ...range);
    expect({ status: part.status, stderr: part.stderr }).toEqual({ status: 0, stderr: '' });
    expect(part.stdout).toContain('Function: grow');
    expect(part.stdout).toContain('map_all');
    const mapped = await ask('top', trace, '--kind', 'mapped', '--by', 'function', ...range);
    expect(mapped).toMatchObject({ metric: 'net', onlyNet: true });
    expect(mapped.rows[0]).toMatchObject({ name: 'map_all', bytes: 32 << 20 });
  });
});
