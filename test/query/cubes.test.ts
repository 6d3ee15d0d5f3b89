import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lanes } from '../../src/query/lanes.ts';
import { top } from '../../src/query/top.ts';
import { tree } from '../../src/query/tree.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { DEFAULT_VIEW, DIMENSIONS, type View } from '../../src/trace/view.ts';
import { traces, views } from './traces.ts';

// Sums that are kept of a trace change no answer.

interface Made {
  readonly time: number;
  readonly thread: string;
  readonly heap: string;
  readonly type: string;
  readonly outer: string;
  readonly inner: string;
  readonly bytes: number;
}

/** Row `i` of a long table; so many different `inners` that their sums are kept, or are not. */
function made(i: number, inners: number): Made {
  return {
    time: i,
    thread: ['main', 'worker', 'timer'][i % 3],
    heap: i % 5 === 0 ? 'loh' : 'soh',
    type: `Type${i % 7}`,
    outer: `Outer${i % 2}`,
    inner: `Inner${i % inners}`,
    bytes: 1 + (i % 1013),
  };
}

const ROWS = 10_000;
const all = (inners: number) => Array.from({ length: ROWS }, (_, i) => made(i, inners));
const traceOf = (rows: readonly Made[]): Trace =>
  traceFromText(
    [
      'process  1  app  exact',
      ...rows.map(
        ({ time, thread, heap, type, outer, inner, bytes }) =>
          `${time}ms  ${thread}  ${heap}  ${type}  ${bytes}  app!${outer} > app!${inner}`,
      ),
    ].join('\n'),
  );

const between = (from: number, to: number): Partial<View> => ({ from: from * 1e6, to: to * 1e6 });
const CASES: [string, Partial<View>, (row: Made) => boolean][] = [
  ['everything', {}, () => true],
  ['a range', between(1234, 8765), ({ time }) => time >= 1234 && time <= 8765],
  ['a short range', between(4000, 4100), ({ time }) => time >= 4000 && time <= 4100],
  ['a thread', { threads: ['worker'] }, ({ thread }) => thread === 'worker'],
  [
    'a thread, a heap and a range',
    { threads: ['timer'], heaps: ['loh'], ...between(10, 9000) },
    ({ thread, heap, time }) => thread === 'timer' && heap === 'loh' && time >= 10 && time <= 9000,
  ],
  ['two types', { types: ['Type1', 'Type4'] }, ({ type }) => type === 'Type1' || type === 'Type4'],
  ['a function', { functions: ['Outer1'] }, ({ outer }) => outer === 'Outer1'],
  [
    'a function, a type, a thread and a range',
    { functions: ['Outer0'], types: ['Type2'], threads: ['main'], ...between(5, 9990) },
    ({ outer, type, thread, time }) =>
      outer === 'Outer0' && type === 'Type2' && thread === 'main' && time >= 5 && time <= 9990,
  ],
];

test.each([20, 9000])('ten thousand rows under %i functions are summed as the filters say', (inners) => {
  const rows = all(inners);
  const trace = traceOf(rows);
  for (const [name, filters, selects] of CASES) {
    const view: View = { ...DEFAULT_VIEW, ...filters };
    const expected = (of: (row: Made) => string) => {
      const sums = new Map<string, number>();
      for (const row of rows.filter(selects)) sums.set(of(row), (sums.get(of(row)) ?? 0) + row.bytes);
      return sums;
    };
    const found = (by: 'type' | 'heap' | 'function') =>
      new Map(top(trace, view, by).rows.flatMap((row) => (row.bytes === 0 ? [] : [[row.name, row.bytes]])));
    expect(found('type'), name).toEqual(expected(({ type }) => type));
    expect(found('heap'), name).toEqual(expected(({ heap }) => heap));
    expect(found('function'), name).toEqual(expected(({ inner }) => inner));
    const threads = lanes(trace, view, 7, 9).rows;
    expect(new Map(threads.map((row) => [row.name.split(' ')[0], row.bytes])), name).toEqual(
      expected(({ thread }) => thread),
    );
    for (const { values, bytes } of threads) expect(values.reduce((sum, value) => sum + value)).toBe(bytes);
    const outers = tree(trace, view, 'callees').rows;
    expect(new Map(outers.map((row) => [row.name, row.bytes])), name).toEqual(expected(({ outer }) => outer));
  }
});

test('what was asked before does not change an answer', () => {
  fc.assert(
    fc.property(
      traces,
      fc.array(fc.tuple(views, fc.constantFrom(...DIMENSIONS)), { maxLength: 12 }),
      (trace, asked) => {
        const answers = (traceFor: () => Trace) =>
          asked.map(([view, by]) => {
            try {
              return top(traceFor(), view, by);
            } catch (error) {
              return String(error);
            }
          });
        expect(answers(() => trace)).toEqual(answers(() => structuredClone(trace)));
      },
    ),
    { numRuns: 150 },
  );
});
