import type { Resolver } from '../symbols/resolve.ts';
import type { TraceBuilder } from '../trace/builder.ts';
import { type AllocationTable, NONE, type ProcessIndex } from '../trace/tables.ts';
import type { AgentCapture } from './agent/capture.ts';
import { type CountedRows, countNative, type LiveSeries, liveByCounts, liveBySamples } from './agent/counts.ts';
import type { Looks } from './agent/looks.ts';
import { type Mappings, sortMappings } from './agent/mappings.ts';
import { type Residency, residentRows } from './agent/resident.ts';
import type { RawBlindSpot } from './assemble.ts';
import { always } from './blind-spots.ts';
import { createStackNames, type StackNames } from './stack-names.ts';
import { chanceOf, countOf } from './weights.ts';

/** What the agent recorded in one image of a process, and the recorder's looks at its counters. */
export interface NativeInput {
  readonly capture: AgentCapture;
  readonly looks: Looks | undefined;
  readonly residency: Residency | undefined;
}

/** Frames that the agent walks: UNWIND_MAX_DEPTH of agent/src/unwind.h. */
const AGENT_STACK_DEPTH = 512;

/** Where the rows of a process go. Times are monotonic ns. */
interface Target {
  readonly builder: TraceBuilder;
  readonly process: ProcessIndex;
  readonly threadNames: ReadonlyMap<number, string>;
  /** Time 0 of the trace, and the end of the process. */
  readonly startTime: number;
  readonly endTime: number;
}

/**
 * Adds what the agent recorded. Returns the frames of its stacks, each place that allocates counted once, what is to be said of
 * the mappings of allocators, and what was live over time.
 */
export function addNative(
  target: Target,
  { capture, looks, residency }: NativeInput,
  resolver: Resolver,
): { frames: number; unresolved: number; blindSpots: RawBlindSpot[]; live: LiveSeries } {
  const { builder, process, startTime } = target;
  const { stacks, sites } = capture;
  const innermost = new Uint8Array(stacks.length);
  for (const stack of sites.stack) if (stack !== NONE) innermost[stack] = 1;
  const isCut = new Uint8Array(stacks.length);
  for (let site = 1; site < sites.length; site++)
    if (sites.stack[site] !== NONE) isCut[sites.stack[site]] |= sites.isTruncated[site];
  const cut = { limit: AGENT_STACK_DEPTH, isCut: (raw: number) => isCut[raw] === 1 };
  const names = createStackNames(builder, resolver, stacks, innermost, cut, capture.seen);
  const threads = capture.threads.map(({ osId, name }) =>
    // The agent looks when a thread ends; /proc may have been looked at before the thread named itself.
    builder.thread(process, osId, name || (target.threadNames.get(osId) ?? '')),
  );
  const mappings = sortMappings(capture, resolver);
  const place: Place = { capture: { ...capture, sites: { ...sites, kind: mappings.kind } }, names, threads, startTime };

  const end = Number.isNaN(capture.endTime) ? target.endTime : capture.endTime;
  const counts = countNative(place.capture, looks, end, (site) => mappings.isChunk[site] === 0);
  for (const table of ['allocated', 'released', 'unreleased', 'fleeting', 'peak'] as const) {
    if (counts[table].length > 0) builder.native(table, countedTable(place, counts[table]));
  }
  const samples = sampledTable(place);
  if (residency !== undefined) {
    const { measured, resident } = residentRows(capture, residency, samples);
    builder.native('measured', countedTable(place, measured));
    builder.native('resident', countedTable(place, resident));
  }
  if (samples.length > 0) builder.allocations(samples);
  const live =
    capture.mode === 'exact'
      ? liveByCounts(place.capture, counts)
      : liveBySamples(place.capture, samples.bytes, counts);
  return { ...countFrames(place), blindSpots: chunkSpots(mappings), live };
}

function chunkSpots({ chunks, unseen }: Mappings): RawBlindSpot[] {
  const spots: RawBlindSpot[] = [];
  if (chunks.bytes > 0) {
    const text = `${chunks.allocators.join(' and ')} holds ${mebibytes(chunks.bytes)} of the system's memory for the blocks of the native heap: they count as blocks, not as mapped memory too`;
    spots.push(always('note', ['mapped'], text));
  }
  if (unseen.bytes > 0) {
    const text = `of its own allocator (${unseen.allocators.join(' and ')}) the blocks are not seen: ${mebibytes(unseen.bytes)} of the native heap are what that took from the system`;
    spots.push(always('note', ['native-heap'], text));
  }
  return spots;
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

interface Place {
  readonly capture: AgentCapture;
  readonly names: StackNames;
  /** Thread of the model per thread of the capture. */
  readonly threads: readonly number[];
  readonly startTime: number;
}

/** Thread, kind and stack of a site into row `row` of a table whose time is set. */
function setPlace(
  { capture, names, threads, startTime }: Place,
  table: AllocationTable,
  row: number,
  site: number,
): void {
  const { sites } = capture;
  table.thread[row] = threads[sites.thread[site]] ?? NONE;
  table.kind[row] = sites.kind[site];
  table.type[row] = NONE;
  table.stack[row] = names.withoutAllocator(sites.stack[site], table.time[row] + startTime);
}

function countedTable(place: Place, rows: CountedRows): AllocationTable {
  const table: AllocationTable = {
    ...emptyColumns(rows.length),
    time: rows.time.map((time) => time - place.startTime),
    bytes: rows.bytes,
    count: rows.count,
  };
  for (let row = 0; row < rows.length; row++) setPlace(place, table, row, rows.site[row]);
  return table;
}

/** A sample stands for more blocks of its size, see weights.ts. */
function sampledTable(place: Place): AllocationTable {
  const { samples } = place.capture;
  const chance = samples.size.map((size, i) => chanceOf(size, samples.meanBytes[i]));
  const table: AllocationTable = {
    ...emptyColumns(samples.length),
    time: samples.time.map((time) => time - place.startTime),
    bytes: samples.size.map((size, i) => size / chance[i]),
    count: chance.map(countOf),
    released: samples.released.map((time) => time - place.startTime),
  };
  for (let row = 0; row < samples.length; row++) setPlace(place, table, row, samples.site[row]);
  return table;
}

function emptyColumns(length: number) {
  return {
    length,
    thread: new Int32Array(length),
    kind: new Uint8Array(length),
    heap: new Uint8Array(length),
    type: new Int32Array(length),
    stack: new Int32Array(length),
  };
}

/**
 * One line of the programs that a process was one after the other (exec): with the next one the memory of the one before is gone.
 * `lives` are in their order, in monotonic ns.
 */
export function addLive({ builder, process, startTime }: Target, lives: readonly LiveSeries[]): void {
  const some = lives.filter(({ time }) => time.length > 0);
  const isBefore = (next: LiveSeries | undefined) => (time: number) => next === undefined || time < next.time[0];
  const points = some.map(({ time }, i) => time.filter(isBefore(some[i + 1])));
  if (points.length === 0) return;
  builder.series({
    process,
    name: 'native-live',
    time: Float64Array.from(points.flatMap((time) => Array.from(time, (t) => t - startTime))),
    value: Float64Array.from(some.flatMap(({ value }, i) => Array.from(value.subarray(0, points[i].length)))),
  });
}

function countFrames({ capture, names }: Place): { frames: number; unresolved: number } {
  const { sites, stacks, seen } = capture;
  let frames = 0;
  let unresolved = 0;
  for (let site = 1; site < sites.length; site++) {
    const stack = sites.stack[site];
    if (stack === NONE || stack >= stacks.length) continue;
    frames += names.depth(stack);
    unresolved += names.unresolved(names.at(stack, seen[stack]));
  }
  return { frames, unresolved };
}
