import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { type TreeRow, tree } from '../../src/query/tree.ts';
import { KINDS } from '../../src/trace/kinds.ts';
import { NONE, type Trace } from '../../src/trace/tables.ts';
import { DIMENSIONS, type Metric, type View } from '../../src/trace/view.ts';
import { traces, views } from './traces.ts';

interface Figures {
  readonly bytes: number;
  readonly count: number;
}

function add(rows: readonly Figures[]): Figures {
  return rows.reduce((sum, row) => ({ bytes: sum.bytes + row.bytes, count: sum.count + row.count }), {
    bytes: 0,
    count: 0,
  });
}

/** Equal within rounding; `scale` is the size of what was added, which can cancel out in the metric `net`. */
function expectSame(actual: Figures, expected: Figures, trace: Trace): void {
  const scale = add(Array.from(trace.allocations.bytes, (bytes, i) => ({ bytes, count: trace.allocations.count[i] })));
  expect(Math.abs(actual.bytes - expected.bytes)).toBeLessThanOrEqual(1e-9 * scale.bytes);
  expect(Math.abs(actual.count - expected.count)).toBeLessThanOrEqual(1e-9 * scale.count);
}

/** The earliest moment at which the sampled native heap of a process was at its highest; 0 when it never held anything. */
function peakByDefinition({ allocations, threads }: Trace, process: number): number {
  const { time, thread, kind, bytes, length } = allocations;
  const released = (i: number) => allocations.released?.[i] ?? Number.POSITIVE_INFINITY;
  const rows = Array.from({ length }, (_, i) => i).filter(
    (i) => KINDS[kind[i]] === 'native-heap' && threads.process[thread[i]] === process,
  );
  const liveAt = (t: number) => rows.reduce((sum, i) => sum + (time[i] <= t && released(i) > t ? bytes[i] : 0), 0);
  return rows.reduce((best, i) => (liveAt(time[i]) > liveAt(best) * (1 + 1e-12) ? time[i] : best), 0);
}

/** What the view selects, by the definition of its metric and filters, one allocation at a time. */
function selectedByDefinition(trace: Trace, view: View): Figures {
  const { allocations, threads, types, stacks, frames, functions, modules } = trace;
  const holds = (stack: number, test: (fn: number) => boolean): boolean => {
    for (let s = stack; s !== NONE; s = stacks.prefix[s]) if (test(frames.function[stacks.frame[s]])) return true;
    return false;
  };
  const any = (list: readonly string[], test: (text: string) => boolean) => list.length === 0 || list.some(test);
  const rows: Figures[] = [];
  for (let i = 0; i < allocations.length; i++) {
    const time = allocations.time[i];
    const released = allocations.released?.[i] ?? Number.POSITIVE_INFINITY;
    const gone = released !== Number.POSITIVE_INFINITY && released <= view.to;
    const inRange = time >= view.from && time <= view.to;
    const peakAt = peakByDefinition(trace, threads.process[allocations.thread[i]]);
    const factors: Record<Metric, number> = {
      peak: time <= view.to && time <= peakAt && released > peakAt ? 1 : 0,
      allocated: inRange ? 1 : 0,
      unreleased: inRange && !gone ? 1 : 0,
      temporary: inRange && gone ? 1 : 0,
      live: time <= view.to && !gone ? 1 : 0,
      net: (inRange ? 1 : 0) - (time <= view.to && gone && released >= view.from ? 1 : 0),
    };
    const factor = factors[view.metric];
    const process = ['one', '2'][threads.process[allocations.thread[i]]];
    const type = allocations.type[i] === NONE ? undefined : types.name[allocations.type[i]];
    const stack = allocations.stack[i];
    const selected =
      any(view.processes, (text) => text === process) &&
      any(view.kinds, (kind) => kind === (type === undefined ? 'native-heap' : 'gc-heap')) &&
      any(view.heaps, (heap) => heap === ['none', 'soh', 'loh', 'poh'][allocations.heap[i]]) &&
      any(view.types, (text) => type !== undefined && (text === type || text === 'type' || text === 'Type*')) &&
      any(view.threads, (text) => text === threads.name[allocations.thread[i]]) &&
      any(view.functions, (text) => holds(stack, (fn) => functions.name[fn] === text)) &&
      any(view.modules, (text) =>
        holds(stack, (fn) => modules.name[functions.module[fn]].startsWith(text.replace('*', ''))),
      );
    if (selected) rows.push({ bytes: factor * allocations.bytes[i], count: factor * allocations.count[i] });
  }
  return add(rows);
}

test('the total is what the filters and the metric select, allocation by allocation', () => {
  fc.assert(
    fc.property(traces, views, (trace, view) => {
      expectSame(top(trace, view, 'kind').total, selectedByDefinition(trace, view), trace);
    }),
    { numRuns: 400 },
  );
});

test('rows add up to the total for every dimension, view and limit', () => {
  fc.assert(
    fc.property(
      traces,
      views,
      fc.constantFrom(...DIMENSIONS),
      fc.integer({ min: 1, max: 9 }),
      (trace, view, by, limit) => {
        const { total, rows } = top(trace, view, by, limit);
        expectSame(add(rows), total, trace);
        expect(rows.length).toBeLessThanOrEqual(limit + 1);
        const all = top(trace, view, by);
        expectSame(all.total, total, trace);
        const other = rows.find((row) => row.other);
        expect(all.rows.length).toBe(rows.length - (other ? 1 : 0) + (other?.folded ?? 0));
      },
    ),
    { numRuns: 400 },
  );
});

test('a node of a tree is its own figure plus its children, in both directions and at every limit', () => {
  fc.assert(
    fc.property(
      traces,
      views,
      fc.constantFrom('callees', 'callers'),
      fc.integer({ min: 1, max: 60 }),
      (trace, view, direction, limit) => {
        const { total, rows } = tree(trace, view, direction, { limit });
        expectSame(add(rows), total, trace);
        const check = (row: TreeRow): number => {
          const own = { bytes: row.ownBytes, count: row.ownCount };
          expectSame(add([own, ...row.children]), row, trace);
          return row.children.reduce((nodes, child) => nodes + check(child), row.other ? 0 : 1);
        };
        expect(rows.reduce((nodes, row) => nodes + check(row), 0)).toBeLessThanOrEqual(limit);
      },
    ),
    { numRuns: 400 },
  );
});

test('a timeline adds up to the total for every number of stretches', () => {
  fc.assert(
    fc.property(traces, views, fc.integer({ min: 1, max: 40 }), (trace, view, stretches) => {
      const { total, rows } = timeline(trace, view, stretches);
      expect(rows).toHaveLength(stretches);
      expectSame(add(rows), total, trace);
      expectSame(total, top(trace, view, 'kind').total, trace);
    }),
    { numRuns: 300 },
  );
});

test("a function's total is what the stacks that hold it allocated, recursion counted once", () => {
  fc.assert(
    fc.property(traces, views, (trace, view) => {
      const { rows } = top(trace, { ...view, functions: [], hideSystem: false }, 'function');
      for (const row of rows.filter(({ module }) => module !== undefined)) {
        const inside = top(trace, { ...view, functions: [`${row.module}!${row.name}`] }, 'kind').total;
        if (view.functions.length === 0) {
          expectSame({ bytes: row.totalBytes ?? 0, count: row.totalCount ?? 0 }, inside, trace);
        }
      }
    }),
    { numRuns: 150 },
  );
});
