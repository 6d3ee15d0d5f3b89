import { code } from '../src/query/code.ts';
import { timeline } from '../src/query/timeline.ts';
import { top } from '../src/query/top.ts';
import { tree } from '../src/query/tree.ts';
import { createAllocationColumns } from '../src/trace/allocation-columns.ts';
import { createTraceBuilder } from '../src/trace/builder.ts';
import { NONE, type Trace } from '../src/trace/tables.ts';
import { DEFAULT_VIEW, DIMENSIONS, type View } from '../src/trace/view.ts';

// Time per query on a synthetic trace: node scripts/bench.mjs query [millions of allocations, 10 unless told].
// Every query runs once, which fills the tables that are kept per trace ("first"), then nine times.

const RUNS = 9;
const SIZE = { stacks: 50_000, functions: 5_000, types: 2_000, threads: 64 };
const NARROW: View = {
  ...DEFAULT_VIEW,
  types: ['Type1*'],
  heaps: ['soh'],
  threads: ['worker*'],
  functions: ['F1*'],
  hideSystem: true,
};

const allocations = Number(process.argv[2] ?? 10) * 1e6;
const trace = syntheticTrace(allocations);
console.log(`${allocations / 1e6} million allocations, ${trace.stacks.length} stack nodes`);

const queries: Record<string, () => unknown> = {
  ...Object.fromEntries(DIMENSIONS.map((by) => [`top --by ${by}`, () => top(trace, DEFAULT_VIEW, by, 20)])),
  'top --by function, filtered': () => top(trace, NARROW, 'function', 20),
  'top --by line, filtered': () => top(trace, NARROW, 'line', 20),
  tree: () => tree(trace, DEFAULT_VIEW, 'callees', { limit: 40 }),
  'tree --callers': () => tree(trace, DEFAULT_VIEW, 'callers', { limit: 40 }),
  code: () => code(trace, DEFAULT_VIEW, 'F7'),
  timeline: () => timeline(trace, DEFAULT_VIEW, 100),
};
const results = Object.entries(queries).map(([query, ask]) => {
  const first = milliseconds(ask);
  const runs = Array.from({ length: RUNS }, () => milliseconds(ask)).sort((a, b) => a - b);
  return { query, 'first, ms': first, 'median, ms': runs[RUNS >> 1], 'best, ms': runs[0] };
});
console.table(results);
console.log(JSON.stringify({ bench: 'query', allocations, results }));

function milliseconds(ask: () => unknown): number {
  const start = performance.now();
  ask();
  return Math.round(performance.now() - start);
}

/** Random allocations under random stacks, which share their outer parts and are up to some 100 frames deep. */
function syntheticTrace(rows: number): Trace {
  let state = 1;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const builder = createTraceBuilder();
  const app = builder.process({
    pid: 1,
    parent: NONE,
    name: 'app',
    commandLine: 'app',
    runtime: '',
    start: 0,
    end: Number.POSITIVE_INFINITY,
    exit: '',
    allocationSource: 'allocation-sampled',
    nativeSource: 'none',
    errorUnknown: false,
    nativeBefore: 0,
  });
  const modules = ['app', 'lib', 'System.Private.CoreLib'].map((name, i) => builder.module(name, '', i === 2));
  const file = builder.file('/src/App.cs');
  const frames = Array.from({ length: SIZE.functions }, (_, i) => {
    const fn = builder.function(`F${i}`, modules[i % 3], file, i + 1, i + 1);
    return builder.frame(fn, file, i + 1, false);
  });
  const ends: number[] = [NONE];
  for (let i = 0; i < SIZE.stacks; i++) {
    let stack = ends[random(ends.length)];
    for (let depth = random(8) + 1; depth > 0; depth--) stack = builder.stack(stack, frames[random(frames.length)]);
    ends.push(stack);
  }
  const types = Array.from({ length: SIZE.types }, (_, i) => builder.type(`Type${i}`));
  const threads = Array.from({ length: SIZE.threads }, (_, i) => builder.thread(app, i + 1, `worker${i}`));
  const columns = createAllocationColumns();
  for (let i = 0; i < rows; i++) {
    const bytes = random(4) === 0 ? 204_800 : 102_448;
    const thread = threads[random(SIZE.threads)];
    const type = types[random(SIZE.types)];
    const count = bytes / (16 + random(1000));
    columns.add(i * 1000, thread, 0, 1 + random(2), type, ends[random(ends.length)], bytes, count);
  }
  builder.allocations(columns.finish());
  return builder.finish({
    source: 'memsurge',
    path: '',
    startedAt: 0,
    duration: rows * 1000,
    mode: 'run',
    events: rows,
    eventsLost: 0,
    frames: 0,
    framesUnresolved: 0,
    nativeFrames: 0,
    nativeFramesUnresolved: 0,
    samplingMeanBytes: 102_400,
    warnings: [],
    blindSpots: [],
  });
}
