import { expect, test } from 'vitest';
import { defaultMetric } from '../../src/query/parts.ts';
import { report, reportViews } from '../../src/query/report.ts';
import { top } from '../../src/query/top.ts';
import { tree } from '../../src/query/tree.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { DEFAULT_VIEW, type Metric, type View } from '../../src/trace/view.ts';
import { residentAgeText, residentText, shownText } from '../../src/wording/rows.ts';

const NATIVE: View = { ...DEFAULT_VIEW, kinds: ['native-heap'] };

/** Exact counters: `leak` keeps 3 of 5 blocks, `scratch` gives all back; the recorder looked at 1, 2 and 3 s. */
const counted = traceFromText(`
process  100  server  allocation-sampled
0.5s  main  loh  System.Byte[]  1000000  app!Main
native-allocated    1s  worker  300 x3   server!main > server!leak (leak.c:8)
native-allocated    2s  worker  200 x2   server!main > server!leak (leak.c:8)
native-allocated    2s  main    900 x9   server!main > server!scratch (leak.c:20)
native-released     2s  main    500 x5   server!main > server!scratch (leak.c:20)
native-released     3s  main    400 x4   server!main > server!scratch (leak.c:20)
native-released     3s  worker  200 x2   server!main > server!leak (leak.c:8)
native-unreleased   1s  worker  200 x2   server!main > server!leak (leak.c:8)
native-unreleased   2s  worker  100 x1   server!main > server!leak (leak.c:8)
native-peak         2s  worker  500 x5   server!main > server!leak (leak.c:8)
native-peak         2s  main    400 x4   server!main > server!scratch (leak.c:20)
`);

const byFunction = (view: Partial<View>) =>
  Object.fromEntries(top(counted, { ...NATIVE, ...view }, 'function').rows.map((row) => [row.name, row.bytes]));

test('every metric of counted native memory, over the whole recording', () => {
  const totals: Record<Metric, number> = {
    allocated: 1400,
    unreleased: 300,
    temporary: 1100,
    live: 300,
    net: 300,
    peak: 900,
  };
  for (const [metric, bytes] of Object.entries(totals)) {
    const answer = top(counted, { ...NATIVE, metric: metric as Metric }, 'function');
    expect([metric, answer.total.bytes, answer.accuracy]).toEqual([metric, bytes, 'exact']);
  }
  expect(byFunction({ metric: 'unreleased' })).toEqual({ leak: 300, main: 0 });
  expect(byFunction({ metric: 'peak' })).toEqual({ leak: 500, scratch: 400, main: 0 });
  expect(top(counted, { ...NATIVE, metric: 'peak', unit: 'count' }, 'function').total.count).toBe(9);
});

test('what was never measured is not 0 bytes in memory', () => {
  const trace = traceFromText(`
process  100  server  none
native-allocated  1s  main  300 x3  server!main > server!written
native-allocated  1s  main  200 x2  server!main > server!untouched
native-allocated  2s  main  100 x1  server!main > server!young
native-measured   1s  main  300 x3  server!main > server!written
native-measured   1s  main  200 x2  server!main > server!untouched
native-resident   1s  main  250 x3  server!main > server!written
native-resident   1s  main  0 x2    server!main > server!untouched
`);
  const answer = top(trace, { ...NATIVE, metric: 'unreleased' }, 'function', 3);
  expect(answer.rows.map((row) => [row.name, row.residentBytes, row.measuredBytes, residentText(row)])).toEqual([
    ['written', 250, 300, '250 B'],
    ['untouched', 0, 200, '0 B'],
    ['young', undefined, undefined, ''],
    ['other', undefined, undefined, ''],
  ]);
  expect(answer.residentAge).toBe(1e9);
  expect(residentAgeText(answer)).toBe('Resident was measured 1.00 s before the end.');
  const all = top(trace, { ...NATIVE, metric: 'unreleased' }, 'kind');
  expect(all.rows[0]).toMatchObject({ bytes: 600, residentBytes: 250, measuredBytes: 500 });
  expect(residentText(all.rows[0])).toBe('≥ 250 B');
  expect(residentAgeText(all)).toMatch(/where it reads ≥/);
  expect(top(trace, { ...NATIVE, metric: 'allocated' }, 'kind').residentAge).toBeUndefined();
});

test('ranges: what can be known from counters is answered, what cannot is refused', () => {
  const SECOND = 1e9;
  expect(byFunction({ metric: 'unreleased', from: 1.5 * SECOND })).toEqual({ leak: 100, main: 0 });
  expect(byFunction({ metric: 'temporary', from: 1.5 * SECOND })).toEqual({ scratch: 900, leak: 100, main: 0 });
  expect(byFunction({ metric: 'live', to: 2 * SECOND })).toEqual({ leak: 500, scratch: 400, main: 0 });
  expect(byFunction({ metric: 'net', from: 1.5 * SECOND, to: 2 * SECOND })).toEqual({
    scratch: 400,
    leak: 200,
    main: 0,
  });
  const inside: Partial<View> = { from: 1.5 * SECOND, to: 2.5 * SECOND };
  expect(() => byFunction({ ...inside, metric: 'unreleased' })).toThrow('keeps no event times');
  expect(() => byFunction({ ...inside, metric: 'peak' })).toThrow('whole recording only');
});

test('a tree shows what is left, and filters narrow counters as they narrow events', () => {
  const { rows } = tree(counted, { ...NATIVE, metric: 'unreleased' }, 'callees');
  expect(rows.map((row) => [row.name, row.bytes, row.children.map((child) => child.name)])).toEqual([
    ['main', 300, ['leak']],
  ]);
  expect(byFunction({ threads: ['main'] })).toEqual({ scratch: 900, main: 0 });
  expect(byFunction({ functions: ['leak'] })).toEqual({ leak: 500, main: 0 });
});

test('kinds are asked for what they can tell', () => {
  expect(defaultMetric(counted, NATIVE)).toBe('unreleased');
  expect(defaultMetric(counted, { ...DEFAULT_VIEW, kinds: ['gc-heap'] })).toBe('allocated');
  expect(defaultMetric(counted, DEFAULT_VIEW)).toBe('allocated');
  const { total, warnings } = top(counted, { ...DEFAULT_VIEW, metric: 'unreleased' }, 'kind');
  expect(total.bytes).toBe(300);
  expect(warnings).toContainEqual(expect.stringContaining('.NET memory allocations are left out'));
  expect(() => top(counted, { ...DEFAULT_VIEW, kinds: ['gc-heap'], metric: 'unreleased' }, 'kind')).toThrow(
    'did not record',
  );
});

test('sampled native memory: releases are known, and the peak is who held it then', () => {
  const sampled = traceFromText(`
process  100  server  none
native  1s  worker  65536 x64 ~3s   server!main > server!spike
native  2s  worker  65536 x64       server!main > server!leak
native  4s  worker  65536 x64 ~5s   server!main > server!late
`);
  expect(defaultMetric(sampled, DEFAULT_VIEW)).toBe('unreleased');
  const names = (metric: Metric) =>
    top(sampled, { ...DEFAULT_VIEW, metric }, 'function').rows.flatMap((row) => (row.bytes > 0 ? [row.name] : []));
  expect(names('peak').sort()).toEqual(['leak', 'spike']);
  expect(names('unreleased')).toEqual(['leak']);
});

test('what was there before an attach is a figure of its own, and no row', () => {
  const attached = traceFromText(`
process  100  server  none  before=1000
native-allocated  1s  worker  300 x3   server!main > server!leak
process  200  other  none  before=50
process  300  started  none
`);
  const ask = (view: Partial<View>) => top(attached, { ...DEFAULT_VIEW, ...view }, 'kind');
  expect(ask({})).toMatchObject({ before: 1050, total: { bytes: 300 }, rows: [{ bytes: 300 }] });
  expect(ask({ kinds: ['native-heap'], processes: ['server'] }).before).toBe(1000);
  for (const view of [{ kinds: ['mapped' as const] }, { processes: ['started'] }, { functions: ['leak'] }]) {
    expect(ask(view)).not.toHaveProperty('before');
  }
  const unknown = traceFromText('process  100  server  none  before=NaN\nnative-allocated  1s  main  8  server!main');
  expect(top(unknown, DEFAULT_VIEW, 'kind').before).toBeNull();
});

test('a report speaks of mapped memory where there is much of it, the largest kind first', () => {
  const trace = (mapped: number) =>
    traceFromText(`
process  100  server  none
native-allocated   1s  main  1000 x1  server!main > server!leak
native-unreleased  1s  main  1000 x1  server!main > server!leak
mapped-allocated   1s  main  ${mapped} x1  server!main > server!map
mapped-unreleased  1s  main  ${mapped} x1  server!main > server!map
`);
  const kinds = (mapped: number) => reportViews(trace(mapped), DEFAULT_VIEW, false).map((view) => view.kinds[0]);
  expect(kinds(100)).toEqual(['native-heap']);
  expect(kinds(200)).toEqual(['native-heap', 'mapped']);
  expect(kinds(2000)).toEqual(['mapped', 'native-heap']);
});

test('how much is shown of what is held is told of the same range', () => {
  const trace = traceFromText(`
native-allocated  1s  main  239 x1  server!main > server!spike
native-released   3s  main  200 x1  server!main > server!spike
native-allocated  3s  main  8 x1    server!main > server!rest
`);
  const early = top(trace, { ...NATIVE, metric: 'unreleased', to: 2e9 }, 'function');
  expect([early.total.bytes, early.whole.bytes]).toEqual([239, 239]);
  expect(shownText(early)).toBe('all 239 B');
  // Of what was allocated a range is a part.
  const allocated = top(trace, { ...NATIVE, metric: 'allocated', to: 2e9 }, 'function');
  expect([allocated.total.bytes, allocated.whole.bytes]).toEqual([239, 247]);
});

test('sampled blocks have event times, also beside mappings that are counted', () => {
  const trace = traceFromText(`
native            1s  main  100 x1 ~9s  server!main
native            2s  main  10 x1   server!main
mapped-allocated  1s  main  8192 x1  server!main > server!map
`);
  const middle: Partial<View> = { metric: 'unreleased', from: 1.5e9, to: 2.5e9 };
  expect(top(trace, { ...NATIVE, ...middle, to: 1.9e9 }, 'function').total.bytes).toBe(0);
  const all = top(trace, { ...DEFAULT_VIEW, ...middle, from: 0.5e9, to: 1.5e9 }, 'function');
  expect(all.total.bytes).toBe(100);
  expect(all.warnings.join()).toContain(
    'mapped memory is left out: mapped memory is counted in every mode, which keeps no event times',
  );
  expect(() => top(trace, { ...DEFAULT_VIEW, kinds: ['mapped'], ...middle, to: 1.9e9 }, 'function')).toThrow(
    'no event times',
  );
});

test('native memory after the last collection is not allocated in the GC heap', () => {
  const trace = traceFromText(`
process  100  server  allocation-sampled
0.5s  main  soh  System.String  1000  app!Main
gc  1  0.9s  1s  gen2  gen2=800/0
native  2s  main  209715200 x200  app!Main
3s  main  soh  System.String  64  app!Main
`);
  const [gc] = report(trace, { ...DEFAULT_VIEW, kinds: ['gc-heap'] }).findings.filter((one) => one.about === 'heap');
  expect(gc).toMatchObject({ allocatedBefore: 1000, allocatedAfter: 64 });
});
