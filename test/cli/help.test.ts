import type { Command } from 'commander';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { codeCommand } from '../../src/cli/commands/code.ts';
import { heapCommand } from '../../src/cli/commands/heap.ts';
import { reportCommand } from '../../src/cli/commands/report.ts';
import { timelineCommand } from '../../src/cli/commands/timeline.ts';
import { topCommand } from '../../src/cli/commands/top.ts';
import { treeCommand } from '../../src/cli/commands/tree.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { shop } from '../query/traces.ts';
import { runOn } from './shell.ts';

type MakeCommand = (shell: Shell, version: string) => Command;
interface Reading {
  readonly name: string;
  readonly make: MakeCommand;
  readonly args: readonly string[];
}
const READING: readonly Reading[] = [
  { name: 'report', make: reportCommand, args: [] },
  { name: 'top', make: topCommand, args: [] },
  { name: 'tree', make: treeCommand, args: [] },
  { name: 'code', make: codeCommand, args: ['Load'] },
  { name: 'heap', make: heapCommand, args: [] },
  { name: 'timeline', make: timelineCommand, args: [] },
];

/** Something of everything that can be filtered by. */
const EVERYTHING = traceFromText(`
process  100  shop  exact
0.5s  loader  loh  System.Byte[]  1048576 ~0.9s  app!Main (/src/Program.cs:9) > app!Load (/src/Program.cs:27)
0.6s  worker  soh  System.String  512000 x4000   app!Main (/src/Program.cs:11) > app!Load (/src/Program.cs:28) > System.Private.CoreLib!Concat
0.7s  worker  soh  System.Object  1024 x8 ~1s    app!Main > util!Load.Other > System.Private.CoreLib!Concat
native  0.8s  worker  4096 x3 ~0.9s              app!Main > app!Load (/src/Program.cs:29) > lib.so!leak
native  0.8s  loader  8192 x1                    app!Main > app!Load (/src/Program.cs:30)
gc  1  0.55s  0.56s  gen0  gen0=4096/1024
gc  2  0.65s  0.66s  gen0  gen0=4096/1024
gc  3  0.75s  0.76s  gen0  gen0=4096/1024
gc  4  1.1s  1.15s  gen2  gen0=2048/0  loh=1048576/0
rss  0.1s=1000  0.6s=3000  1.3s=2000
process  101  other  exact
0.9s  main  soh  System.String  2048 x20         app!Main > app!Load (/src/Program.cs:28)
gc  1  0.95s  0.96s  gen0  gen0=4096/1024
rss  0.1s=500  1.3s=900`);

/** For every flag of a View a value that leaves out some of it, or counts it in another way. */
const VALUES: Readonly<Record<string, string>> = {
  '--kind': 'native-heap',
  '--heap': 'loh',
  '--type': 'System.String',
  '--thread': 'worker',
  '--module': 'lib.so',
  '--function': 'leak',
  '--process': 'other',
  '--from': '0.65s',
  '--to': '0.65s',
  '--metric': 'temporary',
  '--unit': 'count',
  '--hide-system': '',
  '--limit': '3',
};

/** What the whole program prints for `memsurge NAME --help` on a terminal of `width` columns. */
async function help(name: string, width = Number.POSITIVE_INFINITY): Promise<string> {
  const lines: string[] = [];
  const shell: Shell = {
    open: () => Promise.reject(new Error('no trace is needed')),
    out: (text) => lines.push(text),
    err: (text) => lines.push(text),
    width,
    colors: pc.createColors(false),
  };
  expect(await runProgram([...(name === '' ? [] : [name]), '--help'], shell, '1.2.3')).toBe(0);
  return lines.join('\n');
}
const flagsOf = (text: string) => [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);

/** An answer without the view, which every flag changes. */
async function answerOf(make: MakeCommand, args: readonly string[]): Promise<string> {
  const { out, err, code } = await runOn(EVERYTHING, make, [...args, '--json']);
  expect(code, err).toBe(0);
  return JSON.stringify(JSON.parse(out), (key, value) => (key === 'view' ? undefined : value));
}

describe.each(READING)('$name', ({ name, make, args }) => {
  test('lists flags that change its answer, and refuses the others', async () => {
    const listed = flagsOf(await help(name));
    expect(listed).toContain('--from');
    const whole = await answerOf(make, args);
    for (const [flag, value] of Object.entries(VALUES)) {
      // Without it the answer in JSON is whole; in words it is cut.
      if (flag === '--limit') continue;
      const given = [...args, flag, ...(value === '' ? [] : [value])];
      if (listed.includes(flag)) {
        expect(await answerOf(make, given), flag).not.toBe(whole);
      } else {
        const { err, code } = await runOn(EVERYTHING, make, given);
        expect({ err, code }).toEqual({ err: expect.stringMatching(`unknown option '${flag}'`), code: 2 });
      }
    }
  });

  test('has examples that work', async () => {
    const [, text] = (await help(name)).split('Examples:\n');
    const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.includes('--html'));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const [, , , ...words] = line.trim().match(/'[^']*'|\S+/g) ?? [];
      const { code, err } = await runOn(
        shop(),
        make,
        words.map((word) => word.replaceAll("'", '')),
      );
      expect({ code, err }, line).toEqual({ code: 0, err: expect.not.stringMatching(/^no \w+ match/m) });
    }
  });
});

describe.each(['', 'run', 'attach', 'ps', 'view', ...READING.map(({ name }) => name)])('the help of "%s"', (name) => {
  test.each([60, 80, 200])('fits %d columns, but for what is there to be copied', async (width) => {
    const [text] = (await help(name, width)).split(/Examples:|Start here:/);
    const lines = text.split('\n').filter((line) => !line.startsWith('Usage:'));
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(width);
  });
});

test('heap knows only processes and time', async () => {
  expect(flagsOf(await help('heap'))).toEqual(['--process', '--from', '--to', '--limit', '--json', '--help']);
});

test('a range behind the end of the recording is refused with where that is', async () => {
  for (const { make, args } of READING) {
    const { err, code, out } = await runOn(EVERYTHING, make, [...args, '--from', '2m']);
    expect(err).toBe('memsurge: --from 2 min 0 s is after the end of the recording, which is at 1.30 s\n');
    expect({ code, out }).toEqual({ code: 2, out: '' });
  }
});

test('of kinds of memory those are listed that are recorded, and the others have their answer', async () => {
  const text = (await help('top', 200)).replaceAll(/\s+/g, ' ');
  expect(text).toMatch(/only this kind of memory: gc-heap, native-heap, mapped, runtime \(what the .NET runtime maps/);
  expect(text).not.toMatch(/unexplained|profiler/);
  expect((await runOn(EVERYTHING, topCommand, ['--kind', 'image'])).out).toContain('does not record this kind');
  const { err, code } = await runOn(EVERYTHING, topCommand, ['--kind', 'gc']);
  expect({ err, code }).toEqual({
    err: expect.stringContaining('Allowed: gc-heap, native-heap, mapped, runtime.'),
    code: 2,
  });
});
