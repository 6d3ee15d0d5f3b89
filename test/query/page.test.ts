import fc from 'fast-check';
import { expect, test } from 'vitest';
import { around } from '../../src/query/around.ts';
import { code } from '../../src/query/code.ts';
import { facet } from '../../src/query/facet.ts';
import { lanes } from '../../src/query/lanes.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { type TreeRow, tree } from '../../src/query/tree.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { DEFAULT_VIEW, FACETS, type Facet } from '../../src/trace/view.ts';
import { shop, traces, views } from './traces.ts';

// The questions that only the page asks.

const sum = (rows: readonly { readonly bytes: number }[]) => rows.reduce((all, row) => all + row.bytes, 0);
/** Not modules: `top` groups by the module that allocated, their filter selects by stacks. */
const NAMED_FACETS = (Object.keys(FACETS) as Facet[]).filter((by) => by !== 'module');

test('a facet is the view without its own filter, and says which rows that filter selects', () => {
  const view = { ...DEFAULT_VIEW, heaps: ['loh'] as const, types: ['Byte[]'] };
  expect(facet(shop(), view, 'heap', 10).rows.map(({ name, selected }) => [name, selected])).toEqual([['loh', true]]);
  const types = facet(shop(), { ...DEFAULT_VIEW, types: ['Byte[]'] }, 'type', 10);
  expect(types.rows.map(({ name, selected }) => [name, selected])).toEqual([
    ['System.Byte[]', true],
    ['System.String', false],
    ['System.Object', false],
  ]);
  const threads = facet(shop(), { ...DEFAULT_VIEW, threads: ['worker'] }, 'thread', 1);
  expect(threads.rows.map(({ name, selected, other }) => [name, selected, other])).toEqual([
    ['loader (1)', false, undefined],
    ['other', false, true],
  ]);
});

test('the selected rows of a facet are what the view shows, whatever the view', () => {
  fc.assert(
    fc.property(traces, views, fc.constantFrom(...NAMED_FACETS), (trace, view, by) => {
      const rows = facet(trace, view, by, 100).rows.filter(({ selected }) => selected);
      const { rows: shown } = top(trace, view, by);
      expect(rows.map(({ name, bytes }) => [name, bytes])).toEqual(shown.map(({ name, bytes }) => [name, bytes]));
    }),
  );
});

test('a module is listed with what its filter selects', () => {
  fc.assert(
    fc.property(traces, views, (trace, view) => {
      for (const { name, bytes, count } of facet(trace, view, 'module', 100).rows) {
        const { total } = top(trace, { ...view, modules: [name] }, 'kind');
        expect(bytes).toBeCloseTo(total.bytes, 6);
        expect(count).toBeCloseTo(total.count, 6);
      }
    }),
  );
});

test('callers and callees of a function each add up to its total', () => {
  fc.assert(
    fc.property(traces, views, (trace, asked) => {
      const view = { ...asked, functions: [], modules: [] };
      for (const row of top(trace, view, 'function').rows.filter(({ name }) => !name.startsWith('['))) {
        const answer = around(trace, view, `${row.module}!${row.name}`);
        expect(answer.total.bytes).toBeCloseTo(row.totalBytes!, 6);
        for (const root of [...answer.rows, ...answer.callees]) {
          expect(root.name).toBe(row.name);
          expect(root.bytes).toBeCloseTo(row.totalBytes!, 6);
          expectToAddUp(root);
        }
      }
    }),
  );
});

function expectToAddUp(row: TreeRow): void {
  if (row.other) return;
  expect(row.ownBytes + sum(row.children)).toBeCloseTo(row.bytes, 6);
  for (const child of row.children) expectToAddUp(child);
}

test('callers and callees merge all calls of the function, a recursion by its outermost call', () => {
  const trace = traceFromText(`
1s  worker  soh  T  100      app!Main > app!Load > app!Read
2s  worker  soh  T  10       app!Main > app!Retry > app!Load > app!Load > app!Read
3s  worker  soh  T  1        app!Main > app!Load
`);
  const { rows, callees, total } = around(trace, DEFAULT_VIEW, 'Load');
  const outline = (row: TreeRow): unknown => [row.name, row.bytes, row.ownBytes, row.children.map(outline)];
  expect(total.bytes).toBe(111);
  expect(rows.map(outline)).toEqual([
    [
      'Load',
      111,
      0,
      [
        ['Main', 101, 101, []],
        ['Retry', 10, 0, [['Main', 10, 10, []]]],
      ],
    ],
  ]);
  expect(callees.map(outline)).toEqual([
    [
      'Load',
      111,
      1,
      [
        ['Read', 100, 100, []],
        ['Load', 10, 0, [['Read', 10, 10, []]]],
      ],
    ],
  ]);
});

test('a subtree is the part of the tree under its path, in both directions', () => {
  fc.assert(
    fc.property(traces, views, fc.constantFrom('callees' as const, 'callers' as const), (trace, view, direction) => {
      const walk = (rows: readonly TreeRow[], path: readonly number[]): void => {
        expect(tree(trace, view, direction, { under: path }).rows).toEqual(rows);
        for (const row of rows.slice(0, 2)) walk(row.children, [...path, row.id]);
      };
      walk(tree(trace, view, direction).rows, []);
    }),
    { numRuns: 40 },
  );
  expect(() => tree(shop(), DEFAULT_VIEW, 'callees', { under: [999] })).toThrow('holds nothing in this view');
});

test('lanes add up to the total, thread by thread and over all stretches', () => {
  fc.assert(
    fc.property(
      traces,
      views,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 3 }),
      (trace, view, n, limit) => {
        const { rows, total, unit } = lanes(trace, view, n, limit);
        for (const row of rows) {
          expect(row.values).toHaveLength(n);
          expect(row.values.reduce((all, value) => all + value, 0)).toBeCloseTo(row[unit], 4);
        }
        expect(sum(rows)).toBeCloseTo(total.bytes, 4);
        timeline(trace, view, n).rows.forEach((stretch, i) => {
          expect(rows.reduce((all, { values }) => all + values[i], 0)).toBeCloseTo(stretch[unit], 4);
        });
      },
    ),
  );
});

test('a search looks at every text of a row: the function of a line, the module of a function', () => {
  const found = (by: 'line' | 'function', search: string) =>
    top(shop(), DEFAULT_VIEW, by, 10, { search })
      .rows.filter((row) => !row.other)
      .map((row) => row.name);
  expect(found('line', 'loadcustomer')).toEqual(['Program.cs:27']);
  expect(found('line', 'program.cs')).toEqual(['Program.cs:27']);
  expect(found('function', 'private.corelib')).toEqual(['System.String.Concat', 'System.Threading.Timer.Fire']);
  expect(found('function', 'print')).toEqual(['Shop.Report.Print']);
});

test('a thread whose figures cancel out over the range is in the lanes of its stretches', () => {
  const trace = traceFromText(`
native-allocated  1s  worker  4096 x1  app!Main
native-released   2s  worker  4096 x1  app!Main
native-allocated  3s  main  100 x1  app!Main
`);
  const { rows, total } = lanes(trace, { ...DEFAULT_VIEW, metric: 'net' }, 3, 5);
  expect(rows.map(({ name, values }) => [name, values])).toEqual([
    ['main (2)', [0, 0, 100]],
    ['other', [0, 4096, -4096]],
  ]);
  expect(total.bytes).toBe(100);
});

test('a search shows the rows that hold its text and leaves the rest to "other"', () => {
  const { rows, total } = top(shop(), DEFAULT_VIEW, 'type', 10, { search: 'BYTE' });
  expect(rows.map(({ name, folded }) => [name, folded])).toEqual([
    ['System.Byte[]', undefined],
    ['other', 2],
  ]);
  expect(sum(rows)).toBeCloseTo(total.bytes, 6);
});

test('functions come by what they allocated themselves, or with what they called', () => {
  const first = (order: 'own' | 'total') => top(shop(), DEFAULT_VIEW, 'function', 1, { order }).rows[0].name;
  expect([first('own'), first('total')]).toEqual(['Shop.Program.LoadCustomerAttachments', 'Shop.Program.Main']);
});

test('the code of a function comes with what other lines of its file allocated, each once per stack', () => {
  const trace = traceFromText(`
1s  worker  soh  T  100      app!Main (/a.cs:9) > app!Load (/a.cs:20) > app!Load (/a.cs:21)
2s  worker  soh  T  10       app!Main (/a.cs:9) > app!Main (/a.cs:9) > app!Other (/b.cs:1) > app!Load (/a.cs:20)
3s  worker  soh  T  1        app!Main (/a.cs:12)
`);
  const { rows, others } = code(trace, DEFAULT_VIEW, 'Load');
  const lines = (found: typeof rows) => found.map(({ line, bytes, file }) => [file, line, bytes]);
  expect(lines(rows)).toEqual([
    ['/a.cs', 20, 10],
    ['/a.cs', 21, 100],
  ]);
  expect(lines(others)).toEqual([
    ['/a.cs', 9, 110],
    ['/a.cs', 12, 1],
  ]);
});
