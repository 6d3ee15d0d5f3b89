import type { MappedImage } from '../symbols/code.ts';
import type { SymbolBundle } from '../symbols/collect.ts';
import { readableTypeName } from '../symbols/names.ts';
import { NAMELESS_TYPE } from '../symbols/nested-types.ts';
import type { ProcessCode } from '../symbols/process-code.ts';
import { createResolver, type Resolver } from '../symbols/resolve.ts';
import { createTraceBuilder, type TraceBuilder } from '../trace/builder.ts';
import { kindIndex } from '../trace/kinds.ts';
import { type BlindSpot, NONE, type ProcessIndex, type Recording, type Trace } from '../trace/tables.ts';
import { addLive, addNative, type NativeInput } from './assemble-native.ts';
import { missingOf, unnamed } from './blind-spots.ts';
import type { ProcessCapture, RawAllocations } from './nettrace/capture.ts';
import { type CutStacks, createStackNames, type StackNames } from './stack-names.ts';
import { SAMPLING_MEAN_BYTES, type Weights, weigh } from './weights.ts';

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
  /** What in its environment keeps its runtime from telling anything; empty: nothing known. */
  readonly diagnosticsOff: string;
  readonly blindSpots: readonly RawBlindSpot[];
}

/** What the recording says of itself; the rest of Recording is counted here. */
export type RecordingFacts = Pick<
  Recording,
  'source' | 'path' | 'startedAt' | 'mode' | 'events' | 'eventsLost' | 'preview'
> & {
  /** The recorder ended early: what is not there need not be for want of recording. */
  readonly isUnfinished?: boolean;
  /** Monotonic ns of time 0 and of the end. */
  readonly startTime: number;
  readonly endTime: number;
  readonly warnings: readonly string[];
  /** Those of all processes. */
  readonly blindSpots: readonly RawBlindSpot[];
};

/** A blind spot before the tables: monotonic ns. */
export type RawBlindSpot = Omit<BlindSpot, 'process'>;

/**
 * Joins processes, their streams and their symbols into one Trace; times become ns since `facts.startTime`. The columns of
 * allocations are rewritten in place, which spares as much memory again: afterwards the captures are of no use.
 */
export function assemble(facts: RecordingFacts, processes: readonly ProcessInput[], bundle: SymbolBundle): Trace {
  const builder = createTraceBuilder();
  for (const { path, text, checksum } of bundle.files) builder.file(path, text, checksum);
  const parentRows = new Map<number, number>();
  const blindSpots = facts.blindSpots.map(placed(NONE, facts.startTime));
  const totals = { frames: 0, framesUnresolved: 0, nativeFrames: 0, nativeFramesUnresolved: 0 };
  for (const input of processes) {
    const row = addProcess(builder, facts, input, parentRows.get(input.parentPid) ?? NONE);
    parentRows.set(input.pid, row);
    blindSpots.push(...[...input.blindSpots, ...missingOf(input, facts)].map(placed(row, facts.startTime)));
    if (input.rss.time.length > 0) {
      const time = input.rss.time.map((t) => t - facts.startTime);
      builder.series({ process: row, name: 'rss', time, value: input.rss.value });
    }
    const resolver = createResolver(codeOf(input), bundle);
    if (input.capture !== undefined) {
      const counted = addAllocations(builder, facts, row, input, input.capture, resolver, bundle);
      totals.frames += counted.frames;
      totals.framesUnresolved += counted.unresolved;
      blindSpots.push(...unnamed(input.capture, counted).map(placed(row, facts.startTime)));
      const { gcs } = input.capture;
      const sinceStart = (time: number) => time - facts.startTime;
      builder.gcs(row, { ...gcs, start: gcs.start.map(sinceStart), end: gcs.end.map(sinceStart) });
    }
    const target = { ...input, builder, process: row, startTime: facts.startTime };
    const programs = [...input.native].sort((a, b) => a.capture.startTime - b.capture.startTime);
    const lives = programs.map((native, i) => {
      const next = programs[i + 1]?.capture.startTime;
      const endTime = next ?? input.endTime;
      // With the next program (exec) the memory of the one before is gone.
      const residency = next === undefined ? native.residency : undefined;
      const counted = addNative({ ...target, endTime }, { ...native, residency }, resolver);
      totals.nativeFrames += counted.frames;
      totals.nativeFramesUnresolved += counted.unresolved;
      blindSpots.push(...counted.blindSpots.map(placed(row, facts.startTime)));
      return counted.live;
    });
    addLive(target, lives);
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
    samplingMeanBytes: processes.some(isSampled) ? SAMPLING_MEAN_BYTES : 0,
    ...(facts.preview && { preview: true }),
    warnings: facts.warnings,
    blindSpots,
  });
}

const placed =
  (process: ProcessIndex, startTime: number) =>
  (spot: RawBlindSpot): BlindSpot => ({ ...spot, process, from: spot.from - startTime, to: spot.to - startTime });

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

const unknownType = (handle: number): string => `unknown type 0x${handle.toString(16)}`;

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
    errorUnknown: input.capture !== undefined && !hasError(input.capture),
    nativeBefore: input.native.at(-1)?.capture.beforeBytes ?? 0,
  });
}

function isSampled({ capture }: ProcessInput): boolean {
  return capture !== undefined && capture.allocationSource !== 'exact' && capture.allocationSource !== 'none';
}

/** Ticks come in a fixed stride, which the program can be in step with; of what was lost nobody knows how much it was. */
function hasError({ allocationSource, isWhole }: ProcessCapture): boolean {
  return isWhole && (allocationSource === 'exact' || allocationSource === 'allocation-sampled');
}

/** The runtime writes the innermost 100 frames (EventPipe's MAX_STACK_DEPTH in ep-types.h). */
const RUNTIME_STACK_DEPTH = 100;
const RUNTIME_CUT: CutStacks = { limit: RUNTIME_STACK_DEPTH, isCut: (_, depth) => depth >= RUNTIME_STACK_DEPTH };

/** Makes the columns of the capture those of the model. */
function addAllocations(
  builder: TraceBuilder,
  facts: RecordingFacts,
  process: number,
  input: ProcessInput,
  capture: ProcessCapture,
  resolver: Resolver,
  bundle: SymbolBundle,
): FrameCounts {
  const { allocations, allocationSource } = capture;
  const threads = Int32Array.from(capture.threads, (thread) =>
    builder.thread(process, thread.osId, input.threadNames.get(thread.osId) ?? thread.name),
  );
  const nested = new Map(
    bundle.processes
      .filter((one) => one.pid === input.pid)
      .flatMap((one) => one.types.map((type) => [type.handle, type.name])),
  );
  const types = Int32Array.from(capture.types, ({ name, handle }) =>
    builder.type(readableTypeName(nested.get(handle) ?? (name === NAMELESS_TYPE ? unknownType(handle) : name))),
  );
  const stacks = createStackNames(builder, resolver, capture.stacks, innermostOf(capture), RUNTIME_CUT);
  const counted = nameStacks(allocations, stacks);
  subtract(allocations.time, facts.startTime);
  translate(allocations.thread, threads);
  translate(allocations.type, types);
  const { length, time, thread, heap, type, stack } = allocations;
  const kind = new Uint8Array(length).fill(kindIndex('gc-heap'));
  const weights = weigh(allocationSource, allocations);
  builder.allocations({ length, time, thread, kind, heap, type, stack, ...weights });
  return { ...counted, ...bytesWithoutName(allocations, weights, stacks) };
}

interface FrameCounts {
  readonly frames: number;
  readonly unresolved: number;
  /** What was allocated, and of it what was by functions without a name. */
  readonly bytes: number;
  readonly bytesUnnamed: number;
}

// One loop a column, each in a function of its own: small loops are compiled before many rows went through them slowly.

/** Writes the stack of the model in the place of each raw one. */
function nameStacks(
  { length, stack, time }: RawAllocations,
  stacks: StackNames,
): { frames: number; unresolved: number } {
  let frames = 0;
  let unresolved = 0;
  for (let i = 0; i < length; i++) {
    const raw = stack[i];
    stack[i] = stacks.at(raw, time[i]);
    frames += stacks.depth(raw);
    unresolved += stacks.unresolved(stack[i]);
  }
  return { frames, unresolved };
}

function bytesWithoutName(
  { length, stack }: RawAllocations,
  weights: Weights,
  stacks: StackNames,
): Pick<FrameCounts, 'bytes' | 'bytesUnnamed'> {
  let bytes = 0;
  let bytesUnnamed = 0;
  for (let i = 0; i < length; i++) {
    bytes += weights.bytes[i];
    if (stacks.isUnnamed(stack[i])) bytesUnnamed += weights.bytes[i];
  }
  return { bytes, bytesUnnamed };
}

function subtract(times: Float64Array, start: number): void {
  for (let i = 0; i < times.length; i++) times[i] -= start;
}

function translate(rows: Int32Array, names: Int32Array): void {
  for (let i = 0; i < rows.length; i++) rows[i] = names[rows[i]];
}

/** 1 per raw stack that allocated itself. */
function innermostOf({ stacks, allocations: { stack } }: ProcessCapture): Uint8Array {
  const innermost = new Uint8Array(stacks.length);
  for (let i = 0; i < stack.length; i++) if (stack[i] !== NONE) innermost[stack[i]] = 1;
  return innermost;
}
