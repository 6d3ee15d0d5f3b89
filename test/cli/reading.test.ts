import { readFileSync } from 'node:fs';
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
import { checksumOf } from '../../src/trace/checksum.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { shop } from '../query/traces.ts';
import { runOn } from './shell.ts';

const COMMANDS = [reportCommand, topCommand, treeCommand, heapCommand, timelineCommand];

describe('top', () => {
  test('without --by prints a few rows of each filter', async () => {
    const { out } = await runOn(shop(), topCommand, [], 80);
    expect(out).toMatchInlineSnapshot(`
      "all 201 MiB · allocated · sampled ±0.6 %

        Bytes  Share               Error   Objects  Kind
      201 MiB  100 %  ██████████  ±0.6 %  ≈ 13.3 k  .NET memory allocations

        Bytes   Share               Error   Objects  Heap
      200 MiB  99.6 %  ██████████   exact         2  large object heap (LOH)
      800 KiB   0.4 %              ±168 %  ≈ 13.3 k  small object heap (SOH)

        Bytes   Share               Error   Objects  Type
      200 MiB  99.6 %  ██████████   exact         2  System.Byte[]
      600 KiB   0.3 %              ±242 %  ≈ 4.80 k  System.String
      200 KiB  <0.1 %              ±184 %  ≈ 8.53 k  System.Object

        Bytes   Share               Error   Objects  Thread
      200 MiB  99.6 %  ██████████   exact         2  loader (1)
      700 KiB   0.3 %              ±198 %  ≈ 9.07 k  worker (2)
      100 KiB  <0.1 %              ±311 %  ≈ 4.27 k  timer (3)

          Own   Share   Error    Total   Objects  Function
      200 MiB  99.6 %   exact  200 MiB         2  Shop.Program.LoadCustomerAttachments
      500 KiB   0.2 %  ±311 %  500 KiB  ≈ 4.00 k  System.String.Concat
      100 KiB  <0.1 %  ±311 %  600 KiB     ≈ 800  Shop.Report.Print
      100 KiB  <0.1 %  ±311 %  100 KiB  ≈ 4.27 k  System.Threading.Timer.Fire
      100 KiB  <0.1 %  ±311 %           ≈ 4.27 k  other (2 more)
      "
    `);
  });

  test('by function in a wide terminal has bars and modules', async () => {
    const { out } = await runOn(shop(), topCommand, ['--by', 'function', '--limit', '2'], 140);
    expect(out).toMatchInlineSnapshot(`
      "all 201 MiB · allocated · sampled ±0.6 %

          Own   Share               Error    Total   Objects  Function                              Module
      200 MiB  99.6 %  ██████████   exact  200 MiB         2  Shop.Program.LoadCustomerAttachments  app
      500 KiB   0.2 %              ±311 %  500 KiB  ≈ 4.00 k  System.String.Concat                  System.Private.CoreLib
      300 KiB   0.1 %              ±139 %           ≈ 9.33 k  other (4 more)
      "
    `);
  });

  test('cuts long names in the middle to fit a narrow terminal', async () => {
    const { out } = await runOn(shop(), topCommand, ['--by', 'line', '--hide-system'], 70);
    expect(out).toMatchInlineSnapshot(`
      "all 201 MiB · allocated · sampled ±0.6 %

        Bytes   Share   Error  Line              Function
      200 MiB  99.6 %   exact  Program.cs:27     Shop.Program.…erAttachments
      500 KiB   0.2 %  ±311 %  Report.cs:5       Shop.Report.Print
      100 KiB  <0.1 %  ±311 %  Report.cs:6       Shop.Report.Print
      100 KiB  <0.1 %  ±311 %  [no source line]
      100 KiB  <0.1 %  ±311 %  [no stack]
      "
    `);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(70);
  });

  test('by process, thread, type and heap narrow each other', async () => {
    const { out } = await runOn(
      shop(),
      topCommand,
      ['--thread', 'worker', '--type', 'String', '--by', 'line', '--unit', 'count'],
      80,
    );
    expect(out).toMatchInlineSnapshot(`
      "shown 4.80 k objects of 13.3 k objects · allocated · sampled, error not known

      Objects   Share      Error      Bytes  Line         Function
       4.00 k  83.3 %  not known  ≈ 500 KiB  Report.cs:5  Shop.Report.Print
          800  16.7 %  not known  ≈ 100 KiB  Report.cs:6  Shop.Report.Print
      "
    `);
  });

  test('a filter that matches nothing warns with near names', async () => {
    const { out, err, code } = await runOn(shop(), topCommand, ['--type', 'Strnig'], 80);
    expect(out).toContain('Nothing was allocated in this view.');
    expect(err).toBe('memsurge: warning: no types match "Strnig"; near: System.String\n');
    expect(code).toBe(0);
  });

  test('--json has the documented shape, exact figures and no cut', async () => {
    const { out } = await runOn(shop(), topCommand, ['--by', 'type', '--json', '--hide-system', '--to', '1s']);
    const answer = JSON.parse(out);
    expect(answer.view).toEqual({
      processes: [],
      from: 0,
      to: 1e9,
      kinds: [],
      heaps: [],
      types: [],
      threads: [],
      modules: [],
      functions: [],
      hideSystem: true,
      metric: 'allocated',
      unit: 'bytes',
    });
    expect(answer).toMatchObject({ metric: 'allocated', unit: 'bytes', warnings: [] });
    expect(answer.total).toMatchObject({ bytes: 2 * 104857600 + 614400, count: 4802 });
    expect(answer.rows[0]).toEqual({
      name: 'System.Byte[]',
      bytes: 2 * 104857600,
      count: 2,
      share: expect.closeTo(0.997, 3),
    });
    expect(answer.rows[1]).toMatchObject({
      name: 'System.String',
      bytes: 614400,
      count: 4800,
      error: expect.any(Number),
    });
  });
});

describe('tree', () => {
  test('indents where it branches and marks the hot path', async () => {
    expect((await runOn(shop(), treeCommand, [], 80)).out).toMatchInlineSnapshot(`
      "all 201 MiB · allocated · sampled ±0.6 %

        Total   Share   Error      Own    Function
      201 MiB  99.9 %  ±0.6 %           ▶ Shop.Program.Main
      200 MiB  99.6 %   exact  200 MiB  ▶   Shop.Program.LoadCustomerAttachments
      600 KiB   0.3 %  ±242 %  100 KiB      Shop.Report.Print
      500 KiB   0.2 %  ±311 %  500 KiB      └ System.String.Concat
      100 KiB  <0.1 %  ±311 %  100 KiB    [no stack]
      100 KiB  <0.1 %  ±311 %  100 KiB    System.Threading.Timer.Fire
      "
    `);
  });

  test('--callers starts at the allocating functions', async () => {
    expect((await runOn(shop(), treeCommand, ['--callers', '--limit', '4'], 80)).out).toMatchInlineSnapshot(`
      "all 201 MiB · allocated · sampled ±0.6 % · callers below what they called

        Total   Share   Error      Own    Function
      200 MiB  99.6 %   exact           ▶ Shop.Program.LoadCustomerAttachments
      200 MiB  99.6 %   exact  200 MiB  ▶ └ Shop.Program.Main
      500 KiB   0.2 %  ±311 %             System.String.Concat
      500 KiB   0.2 %  ±311 %             └ Shop.Report.Print
      500 KiB   0.2 %  ±311 %             └ other (1 more)
      300 KiB   0.1 %  ±139 %             other (3 more)
      "
    `);
  });

  test('--json nests children', async () => {
    const { rows } = JSON.parse((await runOn(shop(), treeCommand, ['--json'])).out);
    expect(rows[0].children[0]).toMatchObject({ name: 'Shop.Program.LoadCustomerAttachments', children: [] });
  });
});

test('tree --json --flat lists the same rows, each with its parent', async () => {
  const json = async (...args: string[]) => JSON.parse((await runOn(shop(), treeCommand, ['--json', ...args])).out);
  const { rows } = await json('--flat');
  const nested = (parent: number | null): unknown[] =>
    rows.flatMap((row: { parent: number | null }, i: number) => {
      const { parent: own, ...rest } = row;
      return own === parent ? [{ ...rest, children: nested(i) }] : [];
    });
  expect(nested(null)).toEqual((await json()).rows);
  expect((await runOn(shop(), treeCommand, ['--flat'])).err).toMatch(/--flat needs --json/);
});

describe('code', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'memsurge-code-'));
  afterAll(() => rm(folder, { recursive: true }));
  const path = join(folder, 'Load.cs');
  await writeFile(
    path,
    'class Program\n{\n    static void Load()\n    {\n        keep(new byte[100]);\n        Other();\n    }\n}\n',
  );
  const named = traceFromText(`
1ms  main  soh  System.Byte[]  3145728  app!Program.Main > app!Program.Load (${path}:5)
2ms  main  soh  System.String  1048576  app!Program.Main > app!Program.Load (${path}:6) > app!Program.Other
3ms  main  soh  System.String  1048576  app!Program.Main > lib!Cache.Load`);
  const trace = {
    ...named,
    files: {
      ...named.files,
      checksum: named.files.path.map((file) => (file === path ? checksumOf(readFileSync(path)) : undefined)),
    },
  };

  test('prints the source with the bytes of each line', async () => {
    const { out } = await runOn(trace, codeCommand, ['Program.Load'], 80);
    expect(out.replace(path, 'Load.cs')).toMatchInlineSnapshot(`
      "Program.Load · app · Load.cs
      shown 4.00 MiB of 5.00 MiB · allocated · exact

         Bytes   Share  Line
                           3         static void Load()
                           4         {
      3.00 MiB  75.0 %     5  ▶          keep(new byte[100]);
      1.00 MiB  25.0 %     6             Other();
                           7         }
                           8     }
      "
    `);
  });

  test('says where it looked for source that is not there, and lists the lines', async () => {
    const { out, err } = await runOn(shop(), codeCommand, ['LoadCustomerAttachments'], 80);
    expect(out).toMatch(/200 MiB {2}100 %.*27 {2}▶/);
    expect(err).toContain('looked in the trace and at /src/Program.cs');
  });

  test('lists the candidates of an ambiguous name, of which each selects one', async () => {
    const { err, code } = await runOn(trace, codeCommand, ['Load']);
    expect(code).toBe(2);
    expect(err).toBe('memsurge: "Load" names 2 functions, say which one:\n  app!Program.Load\n  lib!Cache.Load\n');
    expect((await runOn(trace, codeCommand, ['lib!Cache.Load'])).code).toBe(0);
  });

  test('an unknown name is answered with near ones', async () => {
    const { err, code } = await runOn(trace, codeCommand, ['Laod']);
    expect(err).toBe('memsurge: no functions match "Laod"; near: Cache.Load, Program.Load\n');
    expect(code).toBe(2);
  });

  test('--json carries the text of the lines', async () => {
    const answer = JSON.parse((await runOn(trace, codeCommand, ['Program.Load', '--json'])).out);
    expect(answer).toMatchObject({ function: 'Program.Load', path, total: { bytes: 4194304 } });
    expect(answer.rows[0]).toMatchObject({ line: 5, bytes: 3145728, text: '        keep(new byte[100]);' });
  });
});

test('names in a trace lead no terminal', async () => {
  const bad = '\x1b[2J\x07\x9b1m\u202e';
  const trace = traceFromText(
    `process  7  pro${bad}c  exact
1ms  thr${bad}ead  soh  Ty${bad}pe  1000000  m${bad}od!Ma${bad}in (/a${bad}b.cs:5) > m${bad}od!Ho${bad}t (/a${bad}b.cs:9)`,
    { warnings: [`a warn${bad}ing`] },
  );
  for (const [command, args] of [
    [reportCommand, []],
    [topCommand, []],
    [topCommand, ['--by', 'line']],
    [topCommand, ['--by', 'thread']],
    [treeCommand, []],
    [codeCommand, [`Ho${bad}t`]],
    [timelineCommand, []],
    [topCommand, ['--json']],
    [treeCommand, ['--json']],
  ] as const) {
    const { out, err } = await runOn(trace, command, [...args], 100);
    expect(`${out}${err}`, `${command.name} ${args}`).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  }
});

test('heap prints the generations after the last collection and a list of them', async () => {
  expect((await runOn(shop(), heapCommand, [], 80)).out).toMatchInlineSnapshot(`
    "GC heap of shop (100) after collection 2 (gen2, blocking), at 1.15 s

    Generation                    Size    In use      Free  Promoted
    gen0                      2.00 KiB  2.00 KiB       0 B       0 B
    gen1                           0 B       0 B       0 B       0 B
    gen2                      8.00 KiB  4.00 KiB  4.00 KiB       0 B
    large object heap (LOH)    200 MiB   199 MiB  1.00 MiB       0 B
    pinned object heap (POH)       0 B       0 B       0 B       0 B
    all                        200 MiB   199 MiB  1.00 MiB       0 B

    Committed 200 MiB, 0 B of it free, 0 B bookkeeping

    2 of 2 collections

    GC      At  Depth    Pause   In use      Free  Committed  Reason
     1  560 ms   gen0  10.0 ms  100 MiB  1.00 KiB    100 MiB  induced, blocking
     2  1.15 s   gen2  50.0 ms  199 MiB  1.00 MiB    200 MiB  induced, blocking

    Size is in use plus free; promoted survived the collection; committed is what
    the OS gave the GC, with free and bookkeeping.
    "
  `);
});

test('timeline fits the terminal', async () => {
  const { out } = await runOn(shop(), timelineCommand, [], 70);
  expect(out).toMatchInlineSnapshot(`
    "all 201 MiB · allocated · sampled ±0.6 %

    resident set    ▂▂▂▂▂▂▂▂▂▂▂▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅█  240 MiB at most
    GC committed                ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄████  200 MiB at most
    GC heap size                ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄████  200 MiB at most
    allocated                  █ ▁  ▁       █    ▁ ▁  2.55 GiB/s at most
    collections   ··············0···············2···  2 in all
                  0 s                         1.30 s
    Collections: the highest generation collected in each stretch of time.
    "
  `);
  for (const line of out.split('\n').slice(2, 8)) expect(line.length).toBeLessThanOrEqual(70);
});

test('report tells the story and what to run next', async () => {
  expect((await runOn(shop(), reportCommand, [], 100)).out).toMatchInlineSnapshot(`
    "How it grew
      shop (100): resident set grew from 20.0 MiB at 100 ms to 240 MiB at 1.30 s, its highest.

    .NET memory: who allocated
      201 MiB (sampled ±0.6 %) allocated in ≈ 13.3 k objects, 154 MiB/s on average. Of these:
      Heap:     large object heap (LOH) 99.6 % (200 MiB, exact)
      Type:     System.Byte[] 99.6 % (200 MiB, exact)
      Thread:   loader (1) 99.6 % (200 MiB, exact)
      Function: Shop.Program.LoadCustomerAttachments 99.6 % (200 MiB, exact)
      Line:     Program.cs:27 in Shop.Program.LoadCustomerAttachments 99.6 % (200 MiB, exact)

    What the GC says
      shop (100), collection 2, the last, at 1.15 s: 199 MiB in use, >99.9 % of it in the large object
        heap (LOH), where 200 MiB had been allocated by then; 1.00 MiB free; 200 MiB committed, resident
        set 120 MiB. 200 KiB were allocated after it.

    Look further
      memsurge code app.memsurge Shop.Program.LoadCustomerAttachments --kind gc-heap
      memsurge tree app.memsurge --callers --kind gc-heap --function Shop.Program.LoadCustomerAttachments --hide-system
      memsurge heap app.memsurge
      memsurge timeline app.memsurge
    "
  `);
});

test('report of a view without anything says so', async () => {
  const { out } = await runOn(traceFromText('1ms  main  soh  A  100  app!Main'), reportCommand, ['--type', 'B']);
  expect(out).toMatch(/^Nothing grew in this view\.\n\nLook further\n/);
});

test('a resident set that never changed did not grow', async () => {
  const still = traceFromText('rss  0.1s=1468006  0.5s=1468106\nprocess  2  short  none\nrss  0.2s=2097152');
  const { out } = await runOn(still, reportCommand, []);
  expect(out).toContain('short (2): resident set 2.00 MiB at 200 ms.\n');
  expect(out).toContain('test (1): resident set 1.40 MiB all the time.\n');
});

describe('report proposes a tree of callers', () => {
  const proposed = async (stack: string) => {
    const { out } = await runOn(traceFromText(`1ms  main  soh  A  100  ${stack}`), reportCommand, []);
    return out
      .split('\n')
      .filter((line) => line.includes('memsurge tree'))
      .map((line) => line.trim());
  };

  test('where there are callers', async () => {
    expect(await proposed('app!Main > app!Load')).toEqual([
      'memsurge tree app.memsurge --callers --kind gc-heap --function Load --hide-system',
    ]);
  });

  test('with the system code, where that alone called', async () => {
    expect(await proposed('System.Private.CoreLib!Start > app!Load')).toEqual([
      'memsurge tree app.memsurge --callers --kind gc-heap --function Load',
    ]);
  });

  test('and none of a single row', async () => {
    expect(await proposed('app!Load')).toEqual([]);
  });
});

test('report and what it proposes keep to the time and the processes asked for', async () => {
  const { out } = await runOn(shop(), reportCommand, ['--from', '1s', '--process', 'shop']);
  const commands = out.split('\n').filter((line) => line.startsWith('  memsurge '));
  expect(commands.length).toBeGreaterThanOrEqual(4);
  for (const command of commands) expect(command).toMatch(/--process shop .*--from 1s\b/);
});

test('the commands that report prints are understood', async () => {
  const { out } = await runOn(shop(), reportCommand, []);
  const lines = out.split('\n').filter((line) => line.startsWith('  memsurge '));
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const line of lines) {
    const [, name, , ...args] = line.trim().split(' ');
    const make = [codeCommand, ...COMMANDS].find((one) => one.name === `${name}Command`);
    expect((await runOn(shop(), make ?? topCommand, args)).code, line).toBe(0);
  }
});

describe('every reading command', () => {
  test.each(COMMANDS)('%o answers an empty trace, as text and as JSON', async (make) => {
    const empty = traceFromText('process  1  app  none');
    for (const width of [20, 80, Number.POSITIVE_INFINITY]) {
      const { code, err } = await runOn(empty, make, [], width);
      expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('warning') });
    }
    const answer = JSON.parse((await runOn(empty, make, ['--json'])).out);
    expect(answer.warnings.length).toBeGreaterThan(0);
  });

  test.each(COMMANDS)('%o says how to see the warnings of the recording, and holds them as JSON', async (make) => {
    const texts = ['5 events were lost', 'nothing of shop (1) is known'];
    for (const warnings of [texts.slice(0, 1), texts]) {
      const lossy = traceFromText('1ms  main  soh  A  100', { warnings });
      const { err } = await runOn(lossy, make, ['--process', 'nobody']);
      const lines = err.trimEnd().split('\n');
      if (make === reportCommand) {
        for (const text of warnings) expect(lines).toContain(`memsurge: warning: ${text}`);
      } else {
        const count = warnings.length === 1 ? '1 warning' : '2 warnings';
        const them = warnings.length === 1 ? 'it' : 'them';
        expect(lines.at(-1)).toBe(`memsurge: ${count} of the recording: memsurge report app.memsurge shows ${them}`);
        expect(lines.filter((line) => warnings.some((text) => line.includes(text)))).toEqual([]);
      }
      // What concerns this answer alone is said with it.
      expect(lines[make === reportCommand ? warnings.length : 0]).toBe(
        'memsurge: warning: no processes match "nobody"',
      );
      expect(JSON.parse((await runOn(lossy, make, ['--json'])).out).warnings).toEqual(expect.arrayContaining(warnings));
    }
  });

  test.each([
    [['--from', '3'], /--from <time>.*number with its unit/],
    [['--from', '3s', '--to', '2s'], /--from is later than --to/],
    [['--type', ''], /--type <name>.*Give a name/],
    [['--limit', '0'], /whole number from 1/],
    [['--heap', 'lho'], /Allowed: none, soh, loh/],
    [['--metric', 'freed'], /Allowed: allocated, unreleased/],
    [['--kindd', 'gc-heap'], /unknown option '--kindd'.*\n?.*Did you mean --kind/],
  ])('refuses %j with a clear line and exit code 2', async (args, message) => {
    const { err, code, out } = await runOn(shop(), topCommand, args);
    expect(err).toMatch(message);
    expect(code).toBe(2);
    expect(out).toBe('');
  });

  test('refuses a metric the trace cannot answer, with the reason', async () => {
    for (const make of [topCommand, treeCommand, timelineCommand, reportCommand]) {
      const { err, code } = await runOn(shop(), make, ['--metric', 'live']);
      expect(err).toMatch(
        /^memsurge: the metric "live" needs to know when memory was released.*the metric "allocated".*\n$/,
      );
      expect(code).toBe(2);
    }
  });
});
