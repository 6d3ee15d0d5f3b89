import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAllocationColumns } from '../../src/trace/allocation-columns.ts';
import { createTraceBuilder } from '../../src/trace/builder.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { HEAPS, KINDS } from '../../src/trace/kinds.ts';
import { NONE, type Recording } from '../../src/trace/tables.ts';

const RECORDING: Recording = {
  source: 'memsurge',
  path: '',
  startedAt: 0,
  duration: 0,
  mode: 'run',
  events: 0,
  eventsLost: 0,
  frames: 0,
  framesUnresolved: 0,
  nativeFrames: 0,
  nativeFramesUnresolved: 0,
  samplingMeanBytes: 102_400,
  warnings: [],
  blindSpots: [],
};

describe('the trace builder', () => {
  test('puts allocations in time order and keeps every row whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ time: fc.integer({ min: 0, max: 1000 }), bytes: fc.nat() })),
        fc.nat(20),
        (rows, cut) => {
          const builder = createTraceBuilder();
          const parts = [createAllocationColumns(), createAllocationColumns()];
          rows.forEach(({ time, bytes }, i) => {
            parts[i < cut ? 0 : 1].add(time, i, 0, 1, NONE, NONE, bytes, 1);
          });
          for (const part of parts) builder.allocations(part.finish());
          const { allocations } = builder.finish(RECORDING);
          const expected = rows.map((row, i) => ({ ...row, thread: i })).sort((a, b) => a.time - b.time);
          expect(allocations.length).toBe(rows.length);
          expect(Array.from(allocations.time)).toEqual(expected.map((row) => row.time));
          expect(Array.from(allocations.bytes)).toEqual(expected.map((row) => row.bytes));
          expect(Array.from(allocations.thread)).toEqual(expected.map((row) => row.thread));
        },
      ),
    );
  });

  test('gives the same stack the same row, and callers smaller rows than their callees', () => {
    const { stacks, frames, functions } = traceFromText(`
      0.1s  main  soh  A  8  app!Main > app!Load > app!Read
      0.2s  main  soh  A  8  app!Main > app!Load
      0.3s  main  soh  A  8  app!Main > app!Load > app!Read
    `);
    expect(stacks.length).toBe(3);
    expect(functions.length).toBe(3);
    for (let row = 0; row < stacks.length; row++) expect(stacks.prefix[row]).toBeLessThan(row);
    expect(functions.name[frames.function[stacks.frame[2]]]).toBe('Read');
  });

  test('widens a function to all lines seen of it', () => {
    const builder = createTraceBuilder();
    const module = builder.module('app', '/app.dll', false);
    const file = builder.file('/src/a.cs');
    builder.function('Load', module, NONE, 0, 0);
    builder.function('Load', module, file, 20, 22);
    const row = builder.function('Load', module, file, 10, 15);
    const { functions } = builder.finish(RECORDING);
    expect([functions.file[row], functions.firstLine[row], functions.lastLine[row]]).toEqual([file, 10, 22]);
  });

  test('has functions of the system: in its modules, and where every place is of a language', () => {
    const builder = createTraceBuilder();
    const theirs = builder.module('libc.so.6', '/lib/libc.so.6', true);
    const ours = builder.module('app', '/app', false);
    const file = builder.file('/usr/include/c++/12/bits/vector.tcc');
    builder.function('read', theirs, NONE, 0, 0);
    builder.function('std::vector::push_back', ours, file, 1, 2, true);
    builder.function('main', ours, file, 1, 2, true);
    builder.function('main', ours, builder.file('/src/main.cpp'), 3, 4);
    expect([...builder.finish(RECORDING).functions.system]).toEqual([1, 1, 0]);
  });

  test('has release times only when a release was recorded', () => {
    const none = traceFromText('0.1s  main  soh  A  8  app!Main');
    expect(none.allocations.released).toBeUndefined();
    const some = traceFromText(`
      0.1s  main  soh  A  8        app!Main
      0.2s  main  soh  A  8 ~0.3s  app!Main
      0.3s  main  soh  A  8        app!Main
    `);
    expect(Array.from(some.allocations.released ?? [])).toEqual([
      Number.POSITIVE_INFINITY,
      0.3e9,
      Number.POSITIVE_INFINITY,
    ]);
  });
});

test('a trace written as text has what the text says', () => {
  const trace = traceFromText(`
    process  100  shop  allocation-sampled
    0.5s  worker  loh  System.Byte[]  104857600     app!Main (Program.cs:9) > app!Load (Program.cs:27)
    0.6s  main    soh  System.String  512000 x4000  app!Main (Program.cs:9) > System.Private.CoreLib!String.Concat
    native  0.7s  worker  4096  app!Main > libleak.so!leak (leak.c:8)
    gc  1  0.55s  0.56s  gen2  loh=104857600/1024
    rss  0.1s=1000  0.7s=2000
  `);
  const { allocations, gcs, modules, files, frames, stacks, threads, series } = trace;
  expect(trace.processes.allocationSource).toEqual(['allocation-sampled']);
  expect(threads.name).toEqual(['worker', 'main']);
  expect(Array.from(allocations.heap, (row) => HEAPS[row])).toEqual(['loh', 'soh', 'none']);
  expect(Array.from(allocations.kind, (row) => KINDS[row])).toEqual(['gc-heap', 'gc-heap', 'native-heap']);
  expect(Array.from(allocations.count)).toEqual([1, 4000, 1]);
  expect(frames.line[stacks.frame[allocations.stack[0]]]).toBe(27);
  expect(files.path).toContain('Program.cs');
  expect(modules.system[modules.name.indexOf('System.Private.CoreLib')]).toBe(1);
  expect([gcs.length, gcs.depth[0], gcs.size[3], gcs.free[3]]).toEqual([1, 2, 104857600, 1024]);
  expect(series[0].value).toEqual(Float64Array.of(1000, 2000));
  expect(trace.recording.duration).toBe(0.7e9);
});
