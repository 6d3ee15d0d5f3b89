import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  parseCmdline,
  parseEnviron,
  parseImageMappings,
  parseRssBytes,
  parseStat,
  parseStatus,
} from '../../../src/read/procfs/process.ts';

const own = (file: string) => readFileSync(`/proc/self/${file}`, 'utf8');

describe('files of this very process', () => {
  test('status', () => {
    const status = parseStatus(own('status'));
    expect(status.parentPid).toBe(process.ppid);
    expect(status.uid).toBe(process.getuid?.());
    expect(status.namespacePids.at(-1)).toBe(process.pid);
    // Sampled at another moment than Node's own figure, so only the magnitude agrees.
    expect(status.rss! / process.memoryUsage.rss()).toBeGreaterThan(0.5);
    expect(status.rss! / process.memoryUsage.rss()).toBeLessThan(2);
  });

  test('stat', () => {
    const stat = parseStat(own('stat'))!;
    expect(stat.parentPid).toBe(process.ppid);
    expect(Number(stat.startTicks)).toBeGreaterThan(0);
    expect(stat.state).toMatch(/^[RSD]$/);
  });

  test('cmdline and environ', () => {
    expect(parseCmdline(own('cmdline'))[0]).toContain('node');
    expect(parseEnviron(own('environ')).get('PATH')).toBeTruthy();
  });

  test('the C library lies where maps says', () => {
    const image = parseImageMappings(own('maps')).find(({ path }) => /\/libc\.so|ld-musl/.test(path))!;
    expect(image.end).toBeGreaterThan(image.base);
    expect(readFileSync(image.path).subarray(1, 4).toString()).toBe('ELF');
  });
});

test('a command with parentheses and spaces does not shift the fields of stat', () => {
  const fields = Array.from({ length: 49 }, (_, i) => String(i + 4));
  const stat = parseStat(`42 (a) b (c)) Z ${fields.join(' ')}\n`)!;
  expect(stat).toEqual({ state: 'Z', parentPid: 4, startTicks: '22', waitStatus: 52 });
});

test('a process that has ended has no resident set', () => {
  expect(parseRssBytes('Name:\tx\nState:\tZ (zombie)\nPPid:\t1\n')).toBeUndefined();
});

test('managed images: the loaded layout counts, the flat mapping of the same file does not', () => {
  // From a .NET 10 process, shortened.
  const maps = `5639a4fed000-5639a4ff4000 r--p 00000000 fe:00 11665444                   /app/hello
5639a4ff4000-5639a5000000 r-xp 00006000 fe:00 11665444                   /app/hello
7fb0bc200000-7fb0bd0db000 r--s 00000000 fe:00 350922                     /dotnet/System.Private.CoreLib.dll
7fb0bfa40000-7fb0bfa41000 rw-s 00011000 00:01 1123                       /memfd:doublemapper (deleted)
7fb0bfa50000-7fb0bfa51000 r--p 00000000 fe:00 350922                     /dotnet/System.Private.CoreLib.dll
7fb0bfa51000-7fb0bfa60000 ---p 00000000 00:00 0 
7fb0bfa60000-7fb0c05ac000 r-xp 00000000 fe:00 350922                     /dotnet/System.Private.CoreLib.dll
7fb0c05ac000-7fb0c05cc000 ---p 00000000 00:00 0 
7fb0c05cc000-7fb0c094e000 rw-p 00b4c000 fe:00 350922                     /dotnet/System.Private.CoreLib.dll
7fb0c094e000-7fb0c096d000 ---p 00000000 00:00 0 
7fb0c0979000-7fb0c0980000 r--p 00000000 fe:00 11                         /app/data file.bin (deleted)
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                          [vdso]
`;
  expect(parseImageMappings(maps)).toEqual([
    { base: 0x5639a4fed000, end: 0x5639a5000000, path: '/app/hello' },
    { base: 0x7fb0bfa50000, end: 0x7fb0c094e000, path: '/dotnet/System.Private.CoreLib.dll' },
  ]);
});
