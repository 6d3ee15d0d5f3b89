import { type AllocationColumns, createAllocationColumns } from './allocation-columns.ts';
import { createTraceBuilder, type TraceBuilder } from './builder.ts';
import { gcColumns } from './gc-columns.ts';
import { GENERATIONS, HEAPS, type Heap, heapIndex, kindIndex } from './kinds.ts';
import {
  type AllocationSource,
  type NativeTables,
  NONE,
  type Recording,
  type StackIndex,
  type Trace,
} from './tables.ts';

/**
 * Makes a Trace from a few lines of text, for tests. Columns are separated by two or more spaces; `#` starts a comment.
 *
 * ```
 * process  100  shop  allocation-sampled
 * 0.5s  worker  loh  System.Byte[]  104857600      app!Main (Program.cs:9) > app!Load (Program.cs:27)
 * 0.6s  worker  soh  System.String  512000 x4000   app!Main (Program.cs:9) > System.Private.CoreLib!String.Concat
 * 0.7s  worker  soh  System.String  64 ~0.9s       app!Main
 * gc  1  0.55s  0.56s  gen2  loh=104857600/1024    # size/free
 * rss  0.1s=1000  0.2s=2000                       # also native-live
 * native  0.2s  worker  4096 x1                    app!Main > libleak.so!leak (leak.c:8)
 * process  101  attached  exact  before=4096       # bytes of the native heap in use when recording began; NaN: not known
 * process  102  gaps  exact  lost                  # events of it were lost
 * native-allocated  0.2s  worker  4096 x3          app!Main > libleak.so!leak (leak.c:8)    # also -released, …
 * mapped-allocated  0.2s  worker  8192 x1          app!Main > libleak.so!map
 * ```
 * An allocation is `time  thread  heap  type  bytes[ xCOUNT][ ~RELEASED]  stack from the root`. Modules whose name
 * starts with "System." are system modules. Threads get the numbers 1, 2, … in the order they appear.
 * @throws Error on a line it does not understand.
 */
export function traceFromText(text: string, recording: Partial<Recording> = {}): Trace {
  const builder = createTraceBuilder();
  const allocations = createAllocationColumns();
  const counted = new Map<keyof NativeTables, AllocationColumns>();
  const threads = new Map<string, number>();
  let process = NONE;
  let last = 0;

  const seen = (time: number): number => {
    last = Math.max(last, time);
    return time;
  };
  const thread = (name: string): number => {
    const key = `${process} ${name}`;
    if (!threads.has(key)) threads.set(key, threads.size + 1);
    return builder.thread(process, threads.get(key) as number, name);
  };
  const newProcess = (
    pid: number,
    name: string,
    allocationSource: AllocationSource,
    nativeBefore: number,
    lost: boolean,
  ): void => {
    process = builder.process({
      pid,
      parent: process,
      name,
      commandLine: name,
      runtime: '.NET 10.0.12',
      start: 0,
      end: Number.POSITIVE_INFINITY,
      exit: '',
      allocationSource,
      nativeSource: 'none',
      errorUnknown: lost || allocationSource.startsWith('allocation-tick'),
      nativeBefore,
    });
  };

  for (const raw of text.split('\n')) {
    const line = raw.replace(/\s#.*$/, '').trim();
    if (line === '' || line.startsWith('#')) continue;
    const cells = line.split(/\s{2,}/);
    if (cells[0] === 'process') {
      const before = cells.find((cell) => cell.startsWith('before='))?.replace('before=', '') ?? 0;
      const source = (cells[3] ?? 'exact') as AllocationSource;
      newProcess(Number(cells[1]), cells[2], source, Number(before), cells.includes('lost'));
      continue;
    }
    if (process === NONE) newProcess(1, 'test', 'exact', 0, false);
    if (cells[0] === 'gc') {
      addGc(builder, process, cells.slice(1), seen);
    } else if (cells[0] === 'rss' || cells[0] === 'native-live') {
      const points = cells.slice(1).map((cell) => cell.split('='));
      builder.series({
        process,
        name: cells[0],
        time: Float64Array.from(points, ([time]) => seen(parseTime(time, line))),
        value: Float64Array.from(points, ([, value]) => Number(value)),
      });
    } else {
      const [, native, table] = /^(native|mapped)(?:-(.*))?$/.exec(cells[0]) ?? [];
      const into = table === undefined ? allocations : countedColumns(counted, table, line);
      const [time, threadName, heap, type, weight, stack] = native
        ? [cells[1], cells[2], 'none', '', cells[3], cells[4]]
        : cells;
      if (weight === undefined || !HEAPS.includes(heap as Heap)) throw new Error(`not an allocation: "${line}"`);
      const [bytes, ...modifiers] = weight.split(' ');
      const count = modifiers.find((m) => m.startsWith('x'));
      const released = modifiers.find((m) => m.startsWith('~'));
      into.add(
        seen(parseTime(time, line)),
        thread(threadName),
        kindIndex(native === undefined ? 'gc-heap' : native === 'mapped' ? 'mapped' : 'native-heap'),
        heapIndex(heap as Heap),
        native ? NONE : builder.type(type),
        stack === undefined ? NONE : addStack(builder, stack),
        Number(bytes),
        count === undefined ? 1 : Number(count.slice(1)),
        released === undefined ? undefined : seen(parseTime(released.slice(1), line)),
      );
    }
  }
  builder.allocations(allocations.finish());
  for (const [table, columns] of counted) builder.native(table, columns.finish());
  return builder.finish({
    source: 'memsurge',
    path: '',
    startedAt: Date.UTC(2026, 0, 1),
    duration: last,
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
    ...recording,
  });
}

function countedColumns(
  all: Map<keyof NativeTables, AllocationColumns>,
  name: string,
  line: string,
): AllocationColumns {
  if (!['allocated', 'released', 'unreleased', 'fleeting', 'measured', 'resident', 'peak'].includes(name))
    throw new Error(`no such table: "${line}"`);
  const table = name as keyof NativeTables;
  const columns = all.get(table) ?? createAllocationColumns();
  all.set(table, columns);
  return columns;
}

/** "0.5s", "20ms", "7ns" in ns. */
function parseTime(text: string, line: string): number {
  const match = /^([\d.]+)(s|ms|us|ns)$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a time in: "${line}"`);
  return Number(match[1]) * { s: 1e9, ms: 1e6, us: 1e3, ns: 1 }[match[2] as 's' | 'ms' | 'us' | 'ns'];
}

/** "module!function (file:line) > …" from the root. */
function addStack(builder: TraceBuilder, text: string): StackIndex {
  let stack: StackIndex = NONE;
  for (const part of text.split(' > ')) {
    const match = /^(?:(.+?)!)?(.+?)(?: \((.+):(\d+)\))?$/.exec(part.trim());
    if (!match) throw new Error(`not a frame: "${part}"`);
    const [, module = 'app', name, path, line] = match;
    const file = path === undefined ? NONE : builder.file(path);
    const row = Number(line ?? 0);
    const fn = builder.function(name, builder.module(module, '', module.startsWith('System.')), file, row, row);
    stack = builder.stack(stack, builder.frame(fn, file, row, false));
  }
  return stack;
}

/** The runtime's number of this reason for a collection. */
const INDUCED = 1;

/** "number  start  end  depth  generation=size/free …" */
function addGc(builder: TraceBuilder, process: number, cells: string[], seen: (time: number) => number): void {
  const [number, start, end, depth, ...sizes] = cells;
  const gcs = gcColumns(1);
  gcs.number[0] = Number(number);
  gcs.start[0] = seen(parseTime(start, number));
  gcs.end[0] = seen(parseTime(end, number));
  gcs.depth[0] = Number(depth.replace('gen', ''));
  gcs.reason[0] = INDUCED;
  gcs.pause[0] = gcs.end[0] - gcs.start[0];
  for (const column of [gcs.size, gcs.free, gcs.promoted, gcs.committedFree, gcs.bookkeeping]) column.fill(0);
  for (const column of [gcs.pinnedObjects, gcs.handles]) column.fill(0);
  for (const cell of sizes) {
    const [generation, bytes] = cell.split('=');
    const row = (GENERATIONS as readonly string[]).indexOf(generation);
    [gcs.size[row], gcs.free[row]] = bytes.split('/').map(Number);
  }
  gcs.committed[0] = gcs.size.reduce((sum, bytes) => sum + bytes, 0);
  builder.gcs(process, gcs);
}
