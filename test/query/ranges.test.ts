import { describe, expect, test } from 'vitest';
import { codeCommand } from '../../src/cli/commands/code.ts';
import { reportCommand } from '../../src/cli/commands/report.ts';
import { timelineCommand } from '../../src/cli/commands/timeline.ts';
import { topCommand } from '../../src/cli/commands/top.ts';
import { treeCommand } from '../../src/cli/commands/tree.ts';
import { defaultMetric, viewOf } from '../../src/query/parts.ts';
import { report, reportViews } from '../../src/query/report.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { QUESTIONS } from '../../src/serve/questions.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { type AskedView, DEFAULT_VIEW, type View } from '../../src/trace/view.ts';
import { sectionsOf } from '../../src/wording/findings.ts';
import { headline } from '../../src/wording/rows.ts';
import { runOn } from '../cli/shell.ts';

const { metric: _, ...ASKED }: AskedView = DEFAULT_VIEW;
const INSIDE = { from: 1.5e9, to: 3.5e9 };

/** As programs are recorded by default: blocks are sampled, mappings are counted. */
const sampled = traceFromText(`
process  100  shop  allocation-sampled
2s    main  soh  System.String  300000 x30  app!Main > app!Read
native            1s  main  200000 x2 ~2s  app!Main > lib.so!early
native            2s  main  900000 x9      app!Main > lib.so!leak
native            3s  main  500000 x5 ~4s  app!Main > lib.so!brief
mapped-allocated   1s  main  4000000 x1  app!Main > lib.so!map
mapped-allocated   2s  main  6000000 x2  app!Main > lib.so!map
mapped-released    3s  main  2000000 x1  app!Main > lib.so!map
mapped-unreleased  2s  main  4000000 x1  app!Main > lib.so!map
rss  1s=1000  3s=9000000  5s=5000000
`);

/** All of it counted: exact native recording. */
const counted = traceFromText(`
process  100  server  none
native-allocated   1s  main    5000 x5  server!main > server!leak
native-allocated   2s  main    3000 x3  server!main > server!leak
native-allocated   2s  worker  9000 x9  server!main > server!scratch
native-released    3s  worker  9100 x9  server!main > server!scratch
native-unreleased  1s  main    5000 x5  server!main > server!leak
native-unreleased  2s  main    3000 x3  server!main > server!leak
rss  1s=1000  5s=9000
`);

const sections = (trace: Trace, asked: AskedView) =>
  sectionsOf(
    reportViews(trace, viewOf(trace, asked), asked.metric !== undefined).map((view) => report(trace, view)),
    3,
  );
const linesOf = (trace: Trace, asked: AskedView) =>
  Object.fromEntries(
    sections(trace, asked).map(({ title, statements }) => [
      title,
      statements.map(({ label, text }) => (label === undefined ? text : `${label}: ${text}`)),
    ]),
  );

describe('a range inside the recording', () => {
  test('is reported of every kind of memory by what can be told of it', () => {
    const told = linesOf(sampled, { ...ASKED, ...INSIDE });
    expect(Object.keys(told)).toEqual([
      'How it grew',
      'Mapped memory: who allocated more than was released',
      'Native heap: who allocated what was not released by 3.50 s',
      '.NET memory: who allocated',
    ]);
    const [total, ...rows] = told['Mapped memory: who allocated more than was released'];
    expect(total).toMatch(
      /^3\.81 MiB net \(exact\)\. "net" is what was allocated in the range minus .* no.* at its end/,
    );
    expect(rows.join()).toContain('Function: map (3.81 MiB, exact)');
    expect(told['Native heap: who allocated what was not released by 3.50 s'].join()).toContain('Function: leak');
  });

  test('is told of the kind asked for, if the metric is not chosen', () => {
    const of = (trace: Trace, kinds: View['kinds'], range = INSIDE) => defaultMetric(trace, { kinds, ...range });
    expect(of(sampled, ['mapped'])).toBe('net');
    expect(of(sampled, ['mapped'], { from: 0, to: 3.5e9 })).toBe('unreleased');
    expect(of(sampled, ['mapped'], { from: 1.5e9, to: Number.POSITIVE_INFINITY })).toBe('unreleased');
    expect(of(sampled, ['native-heap'])).toBe('unreleased');
    expect(of(sampled, ['native-heap', 'mapped'])).toBe('unreleased');
    expect(of(sampled, [])).toBe('allocated');
    expect(of(counted, [])).toBe('net');
    const both = top(sampled, viewOf(sampled, { ...ASKED, ...INSIDE, kinds: ['native-heap', 'mapped'] }), 'kind');
    expect(both.rows.map(({ name, bytes }) => [name, bytes])).toEqual([['native-heap', 1_400_000]]);
    expect(both.warnings.join()).toContain('mapped memory is left out');
  });

  const asText = [
    [reportCommand, []],
    [topCommand, []],
    [topCommand, ['--by', 'line']],
    [treeCommand, []],
    [timelineCommand, []],
    [codeCommand, ['main']],
    [codeCommand, ['Main']],
  ] as const;
  test.each([
    ['sampled', sampled, 'Main', []],
    ['sampled', sampled, 'Main', ['--kind', 'mapped']],
    ['exact', counted, 'main', []],
    ['exact', counted, 'main', ['--kind', 'native-heap']],
  ] as const)('is answered by every command, of %s recordings', async (_, trace, fn, kind) => {
    for (const [make, own] of asText) {
      if (own[0] !== undefined && /main/i.test(own[0]) && own[0] !== fn) continue;
      const args = [...own, ...kind, '--from', '1.5s', '--to', '3.5s'];
      const { out, err, code } = await runOn(trace, make, args);
      expect({ code, err: err.includes('memsurge: exact') }, `${make.name} ${args.join(' ')}: ${err}`).toEqual({
        code: 0,
        err: false,
      });
      if (kind.length > 0 || trace === counted)
        expect(out).toContain('minus what was released in it: of a range inside');
      expect((await runOn(trace, make, [...args, '--json'])).code).toBe(0);
    }
  });

  test('is answered by every question of the page', () => {
    const asked = { ...ASKED, ...INSIDE };
    for (const trace of [sampled, counted]) {
      const view = viewOf(trace, asked);
      expect(() => QUESTIONS.report.answer(trace, view, { limit: 20 }, asked)).not.toThrow();
      for (const by of ['kind', 'thread', 'module'] as const) {
        const { rows } = QUESTIONS.facet.answer(trace, view, { by, limit: 20, search: '' }, asked);
        expect(rows.length).toBeGreaterThan(0);
      }
    }
  });

  test('of counters is a timeline of that range', () => {
    const { rows } = timeline(counted, viewOf(counted, { ...ASKED, ...INSIDE }), 2);
    expect(rows.map(({ from, to, bytes }) => [from, to, bytes])).toEqual([
      [1.5e9, 2.5e9, 12000],
      [2.5e9, 3.5e9, -9100],
    ]);
  });

  test('is refused only to who asks for what nobody knows, in words that are true of the trace', () => {
    const refusal = (trace: Trace, view: Partial<View>) => {
      try {
        return headline(top(trace, { ...DEFAULT_VIEW, ...INSIDE, ...view }, 'kind'));
      } catch (error) {
        return (error as Error).message;
      }
    };
    const ofMapped = refusal(sampled, { kinds: ['mapped'], metric: 'unreleased' });
    expect(ofMapped).toMatch(/^mapped memory is counted in every mode.*use the metric "net"/);
    expect(ofMapped).not.toMatch(/exact|sampled/);
    // Mappings of an allocator whose blocks are not seen are native heap, and counted beside sampled blocks.
    const allocator = { ...counted, processes: { ...counted.processes, nativeSource: ['sampled' as const] } };
    const ofAllocator = refusal(allocator, { metric: 'unreleased' });
    expect(ofAllocator).toMatch(/^what an allocator maps whose blocks are not seen is counted in every mode/);
    expect(ofAllocator).not.toMatch(/exact|--native/);
    expect(refusal(counted, { metric: 'temporary' })).toMatch(
      /^exact native recording .* record with --native sampled$/,
    );
    expect(refusal(sampled, { kinds: ['mapped'], metric: 'net' })).toMatch(/net · exact$/);
  });
});

describe('a difference', () => {
  test('has shares that are explained where they are none of a whole, and none in a report', async () => {
    const { out } = await runOn(counted, topCommand, ['--from', '1.5s', '--to', '3.5s', '--by', 'thread']);
    expect(out).toContain('they can be above 100 % and below 0 %');
    const [, ...rows] = linesOf(counted, { ...ASKED, ...INSIDE })['Native heap: who allocated more than was released'];
    expect(rows.join()).toContain('Thread: main (1) (2.93 KiB, exact)');
    expect(rows.join()).not.toContain('%');
    expect((await runOn(counted, topCommand, ['--metric', 'net', '--by', 'thread'])).out).not.toContain('100 %.');
  });

  test('that is nothing altogether is told of what makes it', () => {
    const even = traceFromText(`
native-allocated  1s  main  500 x5  server!main > server!more
native-released   1s  main  500 x5  server!main > server!less
native-allocated  3s  main  8 x1    server!main
`);
    const { findings } = report(even, { ...DEFAULT_VIEW, metric: 'net', to: 2e9 });
    const functions = findings.find((one) => one.about === 'share' && one.dimension === 'function');
    expect(functions).toMatchObject({ rows: [{ name: 'more', bytes: 500 }, {}, { name: 'less', bytes: -500 }] });
  });
});

test('of two functions that hold the same, neither their caller nor nothing is told', () => {
  const two = traceFromText(`
native-allocated  1s  main  500 x5  server!main > server!more
native-allocated  1s  main  500 x5  server!main > server!less
`);
  const told = Object.values(linesOf(two, ASKED)).flat().join();
  expect(told).toMatch(/Function: (more|less) 50\.0 % \(500 B, exact\); (more|less) 50\.0 % \(500 B, exact\)(,|$)/);
});

describe('the peak', () => {
  test('is known of the native heap alone, and other memory says what to ask instead', () => {
    const peak: View = { ...DEFAULT_VIEW, metric: 'peak' };
    expect(() => top(sampled, { ...peak, kinds: ['mapped'] }, 'function')).toThrow(
      /^the peak is known of the native heap only; .* --metric live --to 3\.00s, when the resident set was highest$/,
    );
    const { rows, warnings } = top(sampled, { ...peak, kinds: ['native-heap', 'mapped'] }, 'kind');
    expect(rows.map(({ name, bytes }) => [name, bytes])).toEqual([['native-heap', 1_400_000]]);
    expect(warnings.join()).toContain('mapped memory is left out: the peak is known of the native heap only');
    expect(Object.keys(linesOf(sampled, peak))).toContain('Native heap: who held the peak');
  });

  /** Held 50 MiB of blocks and 60 MiB of mappings at 2 s, of which little is left. */
  const released = (native: string) =>
    traceFromText(`
process  100  py  none
${native}
mapped-allocated   1s  main  62914560 x60  python!Arena
mapped-released    3s  main  60817408 x58  python!Arena
mapped-unreleased  1s  main  2097152 x2    python!Arena
native-live  1s=52428800  4s=1000
rss  1s=1000  2s=99000000  4s=5000000
`);
  const BLOCKS = {
    sampled: `
native  1s  main  50000000 x50 ~3s  python!Main > python!Grow
native  1s  main  2428800 x20 ~3s   python!Main > python!Other
native  4s  main  1000 x1           python!Main > python!Crumb`,
    exact: `
native-allocated   1s  main  50000000 x50  python!Main > python!Grow
native-allocated   1s  main  2428800 x20   python!Main > python!Other
native-allocated   4s  main  1000 x1       python!Main > python!Crumb
native-released    3s  main  50000000 x50  python!Main > python!Grow
native-released    3s  main  2428800 x20   python!Main > python!Other
native-unreleased  4s  main  1000 x1       python!Main > python!Crumb
native-peak        1s  main  50000000 x50  python!Main > python!Grow
native-peak        1s  main  2428800 x20   python!Main > python!Other`,
  };

  test.each(['sampled', 'exact'] as const)('is told where little of it is left, with who held it: %s', async (mode) => {
    const trace = released(BLOCKS[mode]);
    const { out } = await runOn(trace, reportCommand, []);
    expect(out).toMatch(/^ {2}Peak: {5}py \(100\) at its highest, at 1\.00 s: Grow 95\.4 % \(47\.7 MiB, /m);
    expect(out).toContain(
      '  Peak:     60.0 MiB at 2.00 s, when the resident set was highest: Arena 100 % (60.0 MiB, exact)',
    );
    for (const flags of ['--kind native-heap --metric peak', '--kind mapped --to 2s --metric live']) {
      expect(out).toMatch(new RegExp(`^ {2}memsurge top app\\.memsurge --by function ${flags}`, 'm'));
    }
    // Of a part of the recording the peak is not known.
    expect((await runOn(trace, reportCommand, ['--from', '0.5s'])).out).not.toContain('Peak:');
  });

  test('is left out where most of it is what is left', async () => {
    expect((await runOn(sampled, reportCommand, [])).out).not.toContain('Peak:');
  });
});

test('a program that released all it requested is told of, with what to ask next', async () => {
  const churn = traceFromText(`
process  100  churn  none
native  1s  main  500000 x500 ~2s  churn!main > churn!job
native-live  1s=500000  2s=0.0001
rss  1s=1000  2s=2000
`);
  const { out } = await runOn(churn, reportCommand, []);
  expect(out).toContain(
    'churn (100): nothing of the native heap was left, as far as it was sampled; at most 488 KiB held at 1.00 s; ' +
      '488 KiB (sampled ±311 %) requested in ≈ 500 blocks',
  );
  expect(out).toContain('  memsurge top app.memsurge --by function --kind native-heap --metric temporary');
});

describe('what a report names', () => {
  const shops = traceFromText(`
process  100  shop  exact
1ms  first   loh  Cache  500  app!Main > app!Load
2ms  second  soh  Order  220  app!Main > app!Handle
3ms  first   soh  Order  200  app!Main > app!Log
4ms  first   soh  Order  80   app!Main > app!Rest
`);

  test('is every function that holds a good part, each of the whole', () => {
    const told = linesOf(shops, ASKED)['.NET memory: who allocated'];
    expect(told[0]).toMatch(/^0\.977 KiB \(exact\) allocated in 4 objects, .* Of these:$/);
    expect(told.slice(1)).toEqual([
      'Heap: large object heap (LOH) 50.0 % (500 B, exact); small object heap (SOH) 50.0 % (500 B, exact)',
      'Type: Cache 50.0 % (500 B, exact); Order 50.0 % (500 B, exact)',
      'Thread: first (1) 78.0 % (780 B, exact); second (2) 22.0 % (220 B, exact)',
      'Function: Load 50.0 % (500 B, exact); Handle 22.0 % (220 B, exact); Log 20.0 % (200 B, exact); ' +
        'other (2 more) 8.0 % (80 B, exact)',
    ]);
    expect(report(shops, DEFAULT_VIEW).culprit).toBe('Load');
  });

  test('is no "other" that stands for nothing', () => {
    const three = traceFromText([1, 2, 3].map((i) => `1ms  main  soh  T  100  app!Main > app!F${i}`).join('\n'));
    expect(linesOf(three, ASKED)['.NET memory: who allocated'].join()).not.toContain('other');
    expect(report(three, DEFAULT_VIEW).culprit).toBeUndefined();
  });
});
