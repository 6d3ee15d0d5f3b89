// Time per query on a synthetic trace of 10 million allocations: node bench/query.mjs [millions], after npm run build.
// Every query runs once to fill the tables that are kept per trace ("first"), then nine times.
import { code } from '../dist/query/code.js';
import { timeline } from '../dist/query/timeline.js';
import { top } from '../dist/query/top.js';
import { tree } from '../dist/query/tree.js';
import { createTraceBuilder } from '../dist/trace/builder.js';
import { DEFAULT_VIEW, DIMENSIONS } from '../dist/trace/view.js';

const RUNS = 9;
const allocations = Number(process.argv[2] ?? 10) * 1e6;
const trace = syntheticTrace(allocations, { stacks: 50_000, functions: 5_000, types: 2_000, threads: 64 });
console.log(
  `${allocations / 1e6} million allocations, ${trace.stacks.length} stack nodes, ${trace.functions.length} functions`,
);

const narrow = {
  ...DEFAULT_VIEW,
  types: ['Type1*'],
  heaps: ['soh'],
  threads: ['worker*'],
  functions: ['F1*'],
  hideSystem: true,
};
const queries = {
  ...Object.fromEntries(DIMENSIONS.map((by) => [`top --by ${by}`, () => top(trace, DEFAULT_VIEW, by, 20)])),
  'top --by function, filtered': () => top(trace, narrow, 'function', 20),
  'top --by line, filtered': () => top(trace, narrow, 'line', 20),
  tree: () => tree(trace, DEFAULT_VIEW, 'callees', 40),
  'tree --callers': () => tree(trace, DEFAULT_VIEW, 'callers', 40),
  code: () => code(trace, DEFAULT_VIEW, 'F7'),
  timeline: () => timeline(trace, DEFAULT_VIEW, 100),
};
const results = Object.entries(queries).map(([query, run]) => {
  const first = timed(run);
  const runs = Array.from({ length: RUNS }, () => timed(run)).sort((a, b) => a - b);
  return { query, 'first, ms': first, 'median, ms': runs[RUNS >> 1], 'best, ms': runs[0] };
});
console.table(results);
console.log(JSON.stringify({ bench: 'query', allocations, results }));

function timed(run) {
  const start = performance.now();
  run();
  return Math.round(performance.now() - start);
}

/** Random allocations over random stacks of 5 to 40 frames that share their outer parts. */
function syntheticTrace(rows, size) {
  let state = 1;
  const random = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const builder = createTraceBuilder();
  const process = builder.process({
    pid: 1,
    parent: -1,
    name: 'app',
    commandLine: 'app',
    runtime: '',
    start: 0,
    end: Infinity,
    exit: '',
    allocationSource: 'allocation-sampled',
  });
  const modules = ['app', 'lib', 'System.Private.CoreLib'].map((name, i) => builder.module(name, '', i === 2));
  const file = builder.file('/src/App.cs');
  const frames = Array.from({ length: size.functions }, (_, i) => {
    const fn = builder.function(`F${i}`, modules[i % 3], file, i + 1, i + 1);
    return builder.frame(fn, file, i + 1, false);
  });
  const ends = [-1];
  for (let i = 0; i < size.stacks; i++) {
    let stack = ends[random(ends.length)];
    for (let depth = random(8) + 1; depth > 0; depth--) stack = builder.stack(stack, frames[random(frames.length)]);
    ends.push(stack);
  }
  const types = Array.from({ length: size.types }, (_, i) => builder.type(`Type${i}`));
  const threads = Array.from({ length: size.threads }, (_, i) => builder.thread(process, i + 1, `worker${i}`));
  for (let i = 0; i < rows; i++) {
    const bytes = random(4) === 0 ? 204_800 : 102_448;
    builder.allocation(
      i * 1000,
      threads[random(size.threads)],
      0,
      1 + random(2),
      types[random(size.types)],
      ends[random(ends.length)],
      bytes,
      bytes / (16 + random(1000)),
    );
  }
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
    samplingMeanBytes: 102_400,
    warnings: [],
  });
}
