import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { codeCommand } from '../../src/cli/commands/code.ts';
import { heapCommand } from '../../src/cli/commands/heap.ts';
import { reportCommand } from '../../src/cli/commands/report.ts';
import { timelineCommand } from '../../src/cli/commands/timeline.ts';
import { topCommand } from '../../src/cli/commands/top.ts';
import { treeCommand } from '../../src/cli/commands/tree.ts';
import { wrap } from '../../src/cli/terminal.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { shop } from '../query/traces.ts';
import { runOn } from './shell.ts';

const folder = await mkdtemp(join(tmpdir(), 'memsurge-narrow-'));
afterAll(() => rm(folder, { recursive: true }));
const source = join(folder, 'L.cs');
const LONG_LINE = `        ${'longName'.repeat(20)} = new byte[1];`;
await writeFile(source, ['class P', '{', '    void Load()', '    {', LONG_LINE, '    }', ''].join('\n'));

const FUNCTION = `Very.Long.Namespace.${'Of.'.repeat(30)}Program.LoadCustomerAttachments`;
/** Long names, deep stacks, two processes, sampled and exact, every kind of figure. */
const WIDE = traceFromText(`
process  100  a-program-with-a-long-name  allocation-sampled
0.5s  a-thread-with-a-long-name  loh  System.Collections.Generic.Dictionary<System.String, System.Byte[]>.Entry[]  1048576 x3  app!Main > app!A > app!B > app!C > app!${FUNCTION} (${source}:5)
0.6s  worker  soh  System.String  512000 x4000   app!Main > app!A > app!Other > app!${FUNCTION} (${source}:5)
native  0.7s  worker  512 ~0.9s                  app!Main > app!A
native  0.8s  worker  4096 x3                    app!Main > app!A > lib.so!${'leak_'.repeat(20)}
gc  1  0.55s  0.56s  gen0  gen0=4096/1024
gc  2  1.1s  1.15s  gen2  gen0=2048/0  loh=1048576/0
rss  0.1s=1000  0.6s=3000  1.3s=2000
process  101  other  exact
0.9s  main  soh  System.String  2048 x20         app!Main
gc  1  0.95s  0.96s  gen0  gen0=4096/1024`);

const COMMANDS = [
  { name: 'report', make: reportCommand, args: [] },
  { name: 'top', make: topCommand, args: [] },
  { name: 'top by function', make: topCommand, args: ['--by', 'function'] },
  { name: 'top by line', make: topCommand, args: ['--by', 'line'] },
  { name: 'tree', make: treeCommand, args: [] },
  { name: 'tree of callers', make: treeCommand, args: ['--callers'] },
  { name: 'code', make: codeCommand, args: ['LoadCustomerAttachments'] },
  { name: 'heap', make: heapCommand, args: [] },
  { name: 'timeline', make: timelineCommand, args: [] },
];

describe.each(COMMANDS)('$name', ({ make, args }) => {
  test.each([40, 60, 80, 200])('fits a terminal of %d columns', async (width) => {
    const { out, code } = await runOn(WIDE, make, args, width);
    expect(code).toBe(0);
    const [text] = out.split('Look further');
    // A word that is longer than the terminal, a path or a name, cannot be broken.
    const lines = text.split('\n').filter(
      (line) =>
        !line
          .trim()
          .split(' ')
          .some((word) => word.length > width - 8),
    );
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(width);
  });
});

describe('on a terminal of 40 columns', () => {
  test('names are left, and columns go', async () => {
    expect((await runOn(WIDE, topCommand, ['--by', 'function', '--limit', '2'], 40)).out).toMatchInlineSnapshot(`
      "all 1.49 MiB · allocated · sampled
      ±171 %

           Own   Share  Function
      1.49 MiB  99.6 %  Very.Long.…Attachments
      4.00 KiB   0.3 %  leak_leak_…_leak_leak_
      2.50 KiB   0.2 %  other (5 more)
      "
    `);
    expect((await runOn(WIDE, treeCommand, ['--limit', '6'], 40)).out).toMatchInlineSnapshot(`
      "all 1.49 MiB · allocated · sampled
      ±171 %

         Total   Share    Function
      1.49 MiB   100 %  ▶ Main
      1.49 MiB  99.9 %  ▶ └ A
      1.00 MiB  66.9 %  ▶   B
      1.00 MiB  66.9 %  ▶   └ C
      1.00 MiB  66.9 %  ▶   └ Very.Lo…achments
       500 KiB  32.7 %      Other
       500 KiB  32.7 %      └ other (1 more)
      4.00 KiB   0.3 %      other (1 more)
      "
    `);
  });

  test('source reads from its beginning', async () => {
    const { out } = await runOn(WIDE, codeCommand, ['LoadCustomerAttachments', '--source-root', '/'], 40);
    expect(out).toMatch(/ 5 {2}▶ {6}longNamelongN\w*…\n/);
  });

  test('the heap is a table still', async () => {
    expect((await runOn(shop(), heapCommand, [], 40)).out).toMatchInlineSnapshot(`
      "GC heap of shop (100) after collection 2
      (gen2, blocking), at 1.15 s

      Generation                Size    In use
      gen0                  2.00 KiB  2.00 KiB
      gen1                       0 B       0 B
      gen2                  8.00 KiB  4.00 KiB
      large obj…heap (LOH)   200 MiB   199 MiB
      pinned ob…heap (POH)       0 B       0 B
      all                    200 MiB   199 MiB

      Committed 200 MiB, 0 B of it free, 0 B
      bookkeeping

      2 of 2 collections

      GC      At   In use  Reason
       1  560 ms  100 MiB  induced, blocking
       2  1.15 s  199 MiB  induced, blocking

      Size is in use plus free; promoted
      survived the collection; committed is
      what the OS gave the GC, with free and
      bookkeeping.
      "
    `);
  });
});

test('what is known nowhere is no column of the heap, and elsewhere a dash', async () => {
  const unknown = shop();
  unknown.gcs.committed.fill(Number.NaN);
  const { out } = await runOn(unknown, heapCommand, [], 200);
  expect(out).not.toMatch(/Committed|\?/);
  expect(out).not.toContain('–');
  unknown.gcs.committed[0] = 2 ** 20;
  const some = (await runOn(unknown, heapCommand, [], 200)).out;
  expect(some).toContain('Committed');
  expect(some).toMatch(/ – .*\n\n.*– is not known\./);
  const answer = JSON.parse((await runOn(unknown, heapCommand, ['--json'])).out);
  expect(answer.gcs[1].committed).toBeNull();
});

test('native memory alone has no tables of heaps and types, and one process none of processes', async () => {
  const native = traceFromText('native  0.2s  worker  4096 x1  app!Main > libleak.so!leak');
  const { out } = await runOn(native, topCommand, []);
  expect(out).not.toMatch(/Heap\n|Type\n|Process\n|no type|not a GC heap/);
  expect((await runOn(WIDE, topCommand, [])).out).toMatch(/Process\n.*a-program-with-a-long-name \(100\)/);
});

test('functions that only call others are no row "other"', async () => {
  const { out } = await runOn(traceFromText('1ms  main  soh  A  100  app!Main > app!Load'), topCommand, [
    '--by',
    'function',
    '--limit',
    '1',
  ]);
  expect(out).not.toContain('other');
});

test('figures stay with their units when lines break', () => {
  const text = 'grew from 1.44 MiB at 40.5 ms to 2.97 GiB (98.1 %, exact) · all of it';
  for (let width = 10; width < text.length; width++) {
    for (const line of wrap(text, width).split('\n')) expect(line, String(width)).not.toMatch(/^(MiB|GiB|ms|%|·)/);
  }
  expect(wrap(text, 200)).toBe(text);
  expect(wrap('2 buildings 3 minutes', 5)).toBe('2\nbuildings\n3\nminutes');
});
