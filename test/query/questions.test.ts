import { describe, expect, test } from 'vitest';
import { code } from '../../src/query/code.ts';
import { heap } from '../../src/query/heap.ts';
import { report } from '../../src/query/report.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { tree } from '../../src/query/tree.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { DEFAULT_VIEW, type Dimension, type View } from '../../src/trace/view.ts';
import { shop } from './traces.ts';

/** Name and bytes of each row. */
const named = (rows: readonly { name: string; bytes: number }[]) => rows.map(({ name, bytes }) => [name, bytes]);
const by = (dimension: Dimension, text: string, view: Partial<View> = {}) =>
  named(top(traceFromText(text), { ...DEFAULT_VIEW, ...view }, dimension).rows);

const FOLDED = `
1ms  main  soh  A  1  app!Main (App.cs:1) > app!Run (App.cs:2) > System.Linq!Select (Linq.cs:9) > System.Linq!Buffer
2ms  main  soh  A  2  System.Host!Start > System.Host!Fire
3ms  main  soh  A  4  app!Main (App.cs:1) > lib!Parse
4ms  main  soh  A  8`;

describe('folding system code', () => {
  test('by function: into the innermost user function', () => {
    expect(by('function', FOLDED)).toEqual([
      ['[no stack]', 8],
      ['Parse', 4],
      ['Fire', 2],
      ['Buffer', 1],
      ['Main', 0],
      ['Start', 0],
      ['Run', 0],
      ['Select', 0],
    ]);
    expect(by('function', FOLDED, { hideSystem: true })).toEqual([
      ['[no stack]', 8],
      ['Parse', 4],
      ['[system code]', 2],
      ['Run', 1],
      ['Main', 0],
    ]);
  });

  test("the compiler's memory is not that of the method that calls what it compiles", () => {
    const compiled = `
native  1ms  main  64 x1  app!Main (App.cs:1) > app!Work (App.cs:2) > System.Runtime!Prestub > libclrjit.so!compile > libclrjit.so!arena > System.C!malloc
native  2ms  main  16 x1  app!Main (App.cs:1) > app!Work (App.cs:2) > System.Crypto!take
native  3ms  main  4 x1   app!Main (App.cs:1) > libclrjit.so!compile > app!Resolve (App.cs:7) > System.C!malloc`;
    const folded = by('function', compiled, { hideSystem: true });
    expect(folded).toContainEqual(['[.NET runtime: JIT]', 64]);
    expect(folded).toContainEqual(['Work', 16]);
    for (const hideSystem of [true, false]) {
      expect(by('line', compiled, { hideSystem })).toEqual([
        ['[no source line]', 64],
        ['App.cs:2', 16],
        ['App.cs:7', 4],
      ]);
    }
    const { rows } = tree(traceFromText(compiled), { ...DEFAULT_VIEW, hideSystem: true }, 'callees');
    expect(named(rows[0].children[0].children)).toContainEqual(['[.NET runtime: JIT]', 64]);
    expect(by('module', compiled, { hideSystem: true })).toContainEqual(['[.NET runtime: JIT]', 64]);
  });

  test('by line: the innermost line of the user, also of a caller further out', () => {
    expect(by('line', FOLDED)).toEqual([
      ['[no stack]', 8],
      ['App.cs:1', 4],
      ['[no source line]', 2],
      ['Linq.cs:9', 1],
    ]);
    expect(by('line', FOLDED, { hideSystem: true })).toContainEqual(['App.cs:2', 1]);
  });

  test('by module: that of the function', () => {
    expect(by('module', FOLDED)).toEqual([
      ['[no stack]', 8],
      ['lib', 4],
      ['System.Host', 2],
      ['System.Linq', 1],
    ]);
    expect(by('module', FOLDED, { hideSystem: true })).toEqual([
      ['[no stack]', 8],
      ['lib', 4],
      ['[system code]', 2],
      ['app', 1],
    ]);
  });

  test('in the tree: the user functions stay connected', () => {
    const { rows } = tree(traceFromText(FOLDED), { ...DEFAULT_VIEW, hideSystem: true }, 'callees');
    expect(named(rows)).toEqual([
      ['[no stack]', 8],
      ['Main', 5],
      ['[system code]', 2],
    ]);
    expect(named(rows[1].children)).toEqual([
      ['Parse', 4],
      ['Run', 1],
    ]);
  });
});

test('threads of equal name stay apart, threads without a name are called by their number', () => {
  const text =
    'process  1  a  exact\n1ms  worker  soh  A  1\nprocess  2  b  exact\n1ms  worker  soh  A  2\n1ms  -  soh  A  4';
  const trace = traceFromText(text);
  const unnamed = { ...trace, threads: { ...trace.threads, name: ['worker', 'worker', ''] } };
  expect(named(top(unnamed, DEFAULT_VIEW, 'thread').rows)).toEqual([
    ['thread 3', 4],
    ['worker (2)', 2],
    ['worker (1)', 1],
  ]);
  expect(top(unnamed, { ...DEFAULT_VIEW, threads: ['worker'] }, 'thread').total.bytes).toBe(3);
  expect(top(unnamed, { ...DEFAULT_VIEW, threads: ['2'] }, 'thread').total.bytes).toBe(2);
  expect(top(unnamed, { ...DEFAULT_VIEW, threads: ['worker (1)'] }, 'thread').total.bytes).toBe(1);
});

test('near lines are flagged', () => {
  const trace = shop();
  const near = { ...trace, frames: { ...trace.frames, near: trace.frames.near.map(() => 1) } };
  expect(top(near, DEFAULT_VIEW, 'line').rows[0]).toMatchObject({ name: 'Program.cs:27', near: true, line: 27 });
  expect(code(near, DEFAULT_VIEW, 'LoadCustomerAttachments').rows[0].near).toBe(true);
  expect(top(trace, DEFAULT_VIEW, 'line').rows[0].near).toBeUndefined();
});

describe('code', () => {
  const recursive = traceFromText(`
1ms  main  soh  A  1  app!Walk (Walk.cs:4) > app!Walk (Walk.cs:4) > app!Walk (Walk.cs:7)
2ms  main  soh  A  2  app!Walk (Walk.cs:4) > app!Other
3ms  main  soh  A  4  app!Other
4ms  main  soh  A  8  app!Walk`);

  test('counts a recursion once, by the line of its innermost call', () => {
    const { rows, total, whole, firstLine, lastLine, path } = code(recursive, DEFAULT_VIEW, 'Walk');
    expect(named(rows)).toEqual([
      ['[no source line]', 8],
      ['Walk.cs:4', 2],
      ['Walk.cs:7', 1],
    ]);
    expect({ total: total.bytes, whole: whole.bytes }).toEqual({ total: 11, whole: 15 });
    expect({ firstLine, lastLine, path }).toEqual({ firstLine: 4, lastLine: 7, path: 'Walk.cs' });
  });

  test('takes of several functions the only one that allocated in the view', () => {
    const two = traceFromText('1ms  main  soh  A  1  app!X.Load\n2ms  main  soh  B  2  app!Y.Load');
    expect(() => code(two, DEFAULT_VIEW, 'Load')).toThrow(/names 2 functions.*\n.*app!Y.Load\n.*app!X.Load/);
    expect(code(two, { ...DEFAULT_VIEW, types: ['B'] }, 'Load').function).toBe('Y.Load');
  });
});

describe('heap', () => {
  const lines = Array.from({ length: 50 }, (_, i) => {
    const size = i === 33 ? 9000 : 1000 + i;
    return `gc  ${i + 1}  ${i}.1s  ${i}.2s  gen0  gen2=${size}/10`;
  });
  const trace = traceFromText(lines.join('\n'));

  test('lists the first, the largest and the last collection, and others between', () => {
    expect(heap(trace, DEFAULT_VIEW, 3).gcs.map((gc) => gc.number)).toEqual([1, 34, 50]);
    const ten = heap(trace, DEFAULT_VIEW, 10).gcs.map((gc) => gc.number);
    expect(ten).toHaveLength(10);
    expect(ten).toEqual(expect.arrayContaining([1, 34, 50]));
    expect(heap(trace, DEFAULT_VIEW).gcs).toHaveLength(50);
  });

  test('rows are the heap after the last collection of the range', () => {
    const { rows, total, gcs } = heap(trace, { ...DEFAULT_VIEW, to: 10.5e9 });
    expect(gcs).toHaveLength(11);
    expect(total).toEqual({ bytes: 1010, count: 11 });
    expect(rows[2]).toEqual({ name: 'gen2', bytes: 1010, inUse: 1000, free: 10, promoted: 0, share: 1 });
  });

  test('what the trace does not say is null, not zero', () => {
    const unknown = { ...trace, gcs: { ...trace.gcs, free: trace.gcs.free.map(() => Number.NaN) } };
    expect(heap(unknown, DEFAULT_VIEW, 3).gcs[0]).toMatchObject({ bytes: 1000, free: null, inUse: null });
  });
});

describe('timeline', () => {
  test('holds a measured value until the next, and adds up processes', () => {
    const trace = traceFromText(`
process  1  a  exact
rss  0s=100  4s=300  5s=200
process  2  b  exact
rss  2s=1000  10s=1000`);
    const { rows } = timeline(trace, DEFAULT_VIEW, 10);
    expect(rows.map((row) => row.rss)).toEqual([100, 100, 1100, 1100, 1300, 1200, 1200, 1200, 1200, 1200]);
    expect(timeline(trace, { ...DEFAULT_VIEW, processes: ['a'] }, 5).rows.map((row) => row.rss)).toEqual([
      100, 100, 300, 200, 200,
    ]);
    expect(timeline(trace, { ...DEFAULT_VIEW, from: 6e9, to: 8e9 }, 2).rows.map((row) => row.rss)).toEqual([
      1200, 1200,
    ]);
  });

  test('marks collections and takes the GC heap from them', () => {
    const { rows } = timeline(shop(), DEFAULT_VIEW, 13);
    expect(rows.map((row) => row.gcDepth)).toEqual([
      null,
      null,
      null,
      null,
      null,
      0,
      null,
      null,
      null,
      null,
      null,
      2,
      null,
    ]);
    expect(rows[4].gcSize).toBeNull();
    expect(rows[8].gcSize).toBe(104857600 + 4096);
    expect(rows[11]).toMatchObject({ gcs: 1, gcPause: 50e6 });
  });
});

describe('report', () => {
  test('narrows by what dominates and proves every step by a view', () => {
    const { findings, culprit } = report(shop(), DEFAULT_VIEW);
    expect(culprit).toBe('Shop.Program.LoadCustomerAttachments');
    const steps = findings.filter((finding) => finding.about === 'share');
    expect(steps.map((step) => [step.dimension, step.rows[0].name])).toEqual([
      ['kind', 'gc-heap'],
      ['heap', 'loh'],
      ['type', 'System.Byte[]'],
      ['thread', 'loader (1)'],
      ['function', 'Shop.Program.LoadCustomerAttachments'],
      ['line', 'Program.cs:27'],
    ]);
    for (const step of steps) expect(top(shop(), step.view, step.dimension, 3).rows).toEqual(step.rows);
  });

  test('does not follow a row that holds less than half, and names no culprit then', () => {
    const even = traceFromText([1, 2, 3].map((i) => `1ms  t${i}  soh  T${i}  100  app!F${i}`).join('\n'));
    const { findings, culprit } = report(even, DEFAULT_VIEW);
    expect(culprit).toBeUndefined();
    const steps = findings.filter((finding) => finding.about === 'share');
    expect(steps.find((step) => step.dimension === 'function')).toMatchObject({ dominant: false });
    expect(steps.at(-1)?.view.types).toEqual([]);
    // No line is known: nothing to say of it.
    expect(steps.map((step) => step.dimension)).not.toContain('line');
  });

  test('shows the system code where there is nothing else, and no line of a caller as the one', () => {
    const theirs = traceFromText(`
1ms  main  soh  T  900  System.Lib!Thread (thread.c:7) > System.Lib!Commit
1ms  main  soh  T  100  app!Main (main.c:1) > System.Lib!Other
`);
    const { findings, culprit, rows } = report(theirs, DEFAULT_VIEW);
    expect([culprit, rows[0].name]).toEqual(['Commit', 'Commit']);
    const steps = findings.filter((finding) => finding.about === 'share');
    expect(steps.map((step) => step.dimension)).not.toContain('line');
    for (const step of steps) expect(top(theirs, step.view, step.dimension, 3).rows).toEqual(step.rows);
  });

  test('says what the GC held against what was allocated, and what came after', () => {
    const finding = report(shop(), DEFAULT_VIEW).findings.find((one) => one.about === 'heap');
    expect(finding).toMatchObject({
      gcNumber: 2,
      generation: 'loh',
      generationInUse: 208666624,
      allocatedBefore: 209715200,
      allocatedAfter: 204800,
      resident: 125829120,
    });
  });
});
