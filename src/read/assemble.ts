import type { MappedImage } from '../symbols/code.ts';
import type { SymbolBundle } from '../symbols/collect.ts';
import { readableTypeName } from '../symbols/names.ts';
import type { ProcessCode } from '../symbols/process-code.ts';
import { createResolver, type Resolver } from '../symbols/resolve.ts';
import { createTraceBuilder, type TraceBuilder } from '../trace/builder.ts';
import { kindIndex } from '../trace/kinds.ts';
import { type AllocationTable, NONE, type Recording, type Trace } from '../trace/tables.ts';
import { addNative, type NativeInput } from './assemble-native.ts';
import type { ProcessCapture } from './nettrace/capture.ts';
import { createStackNames } from './stack-names.ts';
import { SAMPLING_MEAN_BYTES, weigh } from './weights.ts';

/** One process as its recording describes it. Times are monotonic ns. */
export interface ProcessInput {
  readonly pid: number;
  readonly parentPid: number;
  readonly name: string;
  readonly commandLine: string;
  readonly runtime: string;
  readonly startTime: number;
  readonly endTime: number;
  readonly exit: string;
  /** What its event streams hold; undefined when none could be read. */
  readonly capture: ProcessCapture | undefined;
  /** What the agent recorded, one for each program the process was (exec). */
  readonly native: readonly NativeInput[];
  readonly images: readonly MappedImage[];
  /** Resident set over time: monotonic ns, bytes. */
  readonly rss: { readonly time: Float64Array; readonly value: Float64Array };
  /** Names of threads by OS thread id. */
  readonly threadNames: ReadonlyMap<number, string>;
}

/** What the recording says of itself; the rest of Recording is counted here. */
export type RecordingFacts = Pick<
  Recording,
  'source' | 'path' | 'startedAt' | 'mode' | 'events' | 'eventsLost' | 'preview'
> & {
  /** Monotonic ns of time 0 and of the end. */
  readonly startTime: number;
  readonly endTime: number;
  readonly warnings: readonly string[];
};

/** Joins processes, their streams and their symbols into one Trace; times become ns since `facts.startTime`. */
export function assemble(facts: RecordingFacts, processes: readonly ProcessInput[], bundle: SymbolBundle): Trace {
  const builder = createTraceBuilder();
  for (const { path, text } of bundle.files) builder.file(path, text);
  const parentRows = new Map<number, number>();
  const totals = { frames: 0, framesUnresolved: 0, nativeFrames: 0, nativeFramesUnresolved: 0 };
  for (const input of processes) {
    const row = addProcess(builder, facts, input, parentRows.get(input.parentPid) ?? NONE);
    parentRows.set(input.pid, row);
    if (input.rss.time.length > 0) {
      const time = input.rss.time.map((t) => t - facts.startTime);
      builder.series({ process: row, name: 'rss', time, value: input.rss.value });
    }
    const resolver = createResolver(codeOf(input), bundle);
    if (input.capture !== undefined) {
      const counted = addAllocations(builder, facts, row, input, input.capture, resolver, bundle);
      totals.frames += counted.frames;
      totals.framesUnresolved += counted.unresolved;
      const { gcs } = input.capture;
      const sinceStart = (time: number) => time - facts.startTime;
      builder.gcs(row, { ...gcs, start: gcs.start.map(sinceStart), end: gcs.end.map(sinceStart) });
    }
    const target = { ...input, builder, process: row, startTime: facts.startTime };
    for (const native of input.native) {
      const counted = addNative(target, native, resolver);
      totals.nativeFrames += counted.frames;
      totals.nativeFramesUnresolved += counted.unresolved;
    }
  }
  return builder.finish({
    source: facts.source,
    path: facts.path,
    startedAt: facts.startedAt,
    duration: Math.max(0, facts.endTime - facts.startTime),
    mode: facts.mode,
    events: facts.events,
    eventsLost: facts.eventsLost,
    ...totals,
    samplingMeanBytes: SAMPLING_MEAN_BYTES,
    ...(facts.preview && { preview: true }),
    warnings: [...facts.warnings, ...unresolvedWarning(totals)],
  });
}

/** What is known of a process's code, from all its sources. */
export function codeOf({ pid, images, capture, native }: ProcessInput): Omit<ProcessCode, 'used' | 'types'> {
  return {
    pid,
    images,
    code: capture?.code ?? [],
    modules: capture?.modules ?? [],
    native: native.flatMap((one) => one.capture.modules),
  };
}

function addProcess(builder: TraceBuilder, facts: RecordingFacts, input: ProcessInput, parent: number): number {
  return builder.process({
    pid: input.pid,
    parent,
    name: input.name,
    commandLine: input.commandLine,
    runtime: input.runtime,
    start: input.startTime - facts.startTime,
    end: input.endTime - facts.startTime,
    exit: input.exit,
    allocationSource: input.capture?.allocationSource ?? 'none',
    nativeSource: input.native.at(-1)?.capture.mode ?? 'none',
    nativeBefore: input.native.at(-1)?.capture.beforeBytes ?? 0,
  });
}

function addAllocations(
  builder: TraceBuilder,
  facts: RecordingFacts,
  process: number,
  input: ProcessInput,
  capture: ProcessCapture,
  resolver: Resolver,
  bundle: SymbolBundle,
): { frames: number; unresolved: number } {
  const { allocations, allocationSource } = capture;
  const threads = capture.threads.map((thread) =>
    builder.thread(process, thread.osId, input.threadNames.get(thread.osId) ?? thread.name),
  );
  const nested = new Map(
    bundle.processes
      .filter((one) => one.pid === input.pid)
      .flatMap((one) => one.types.map((type) => [type.handle, type.name])),
  );
  const types = capture.types.map(({ name, handle }) => builder.type(readableTypeName(nested.get(handle) ?? name)));
  const stacks = createStackNames(builder, resolver, capture.stacks, innermostOf(capture));
  const table = allocationTable(allocations.length);
  table.kind.fill(kindIndex('gc-heap'));
  let frames = 0;
  let unresolved = 0;
  let at = 0;
  for (const part of allocations.parts) {
    for (let i = 0; i < part.length; i++) {
      const raw = part.stack[i];
      const stack = stacks.at(raw, part.time[i]);
      table.time[at + i] = part.time[i] - facts.startTime;
      table.thread[at + i] = threads[part.thread[i]];
      table.type[at + i] = types[part.type[i]] ?? NONE;
      table.stack[at + i] = stack;
      frames += stacks.depth(raw);
      unresolved += stacks.unresolved(stack);
    }
    table.heap.set(part.heap, at);
    weigh(allocationSource, part, table, at);
    at += part.length;
  }
  builder.allocations(table);
  return { frames, unresolved };
}

/** 1 per raw stack that allocated itself. */
function innermostOf({ stacks, allocations }: ProcessCapture): Uint8Array {
  const innermost = new Uint8Array(stacks.length);
  for (const { stack } of allocations.parts) {
    for (let i = 0; i < stack.length; i++) if (stack[i] !== NONE) innermost[stack[i]] = 1;
  }
  return innermost;
}

function allocationTable(length: number): AllocationTable {
  return {
    length,
    time: new Float64Array(length),
    thread: new Int32Array(length),
    kind: new Uint8Array(length),
    heap: new Uint8Array(length),
    type: new Int32Array(length),
    stack: new Int32Array(length),
    bytes: new Float64Array(length),
    count: new Float64Array(length),
  };
}

type FrameTotals = Pick<Recording, 'frames' | 'framesUnresolved' | 'nativeFrames' | 'nativeFramesUnresolved'>;

function unresolvedWarning(totals: FrameTotals): string[] {
  const share = totals.framesUnresolved / Math.max(1, totals.frames);
  if (share < 0.01) return [];
  return [
    `${(share * 100).toFixed(1)} % of the stack frames have no name: their code was not reported or its image could not be read.`,
  ];
}
