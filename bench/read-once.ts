import { fileChunks } from '../src/read/chunks.ts';
import { mergeCaptures, readNettrace } from '../src/read/nettrace/index.ts';
import { openTrace } from '../src/read/open.ts';

// One reading in a process of its own, like the judges': read-once.js stream|open FILE prints its figures as JSON.

/** Figures of one file; `seconds` leave out the process's start. */
export interface Reading {
  readonly seconds: number;
  readonly events: number;
  readonly eventsLost: number;
  readonly gcs: number;
  readonly frames: number;
  readonly framesUnresolved: number;
  readonly allocations: number;
  /** Bytes the events themselves say, by the runtime's own type name; only of `stream`. */
  readonly types: Record<string, number>;
  /** Largest resident set of the process, bytes. */
  readonly peakBytes: number;
}

const [mode, file] = process.argv.slice(2);
const started = process.hrtime.bigint();
const figures = mode === 'stream' ? await readStream(file) : await readTrace(file);
const reading: Reading = { ...figures, peakBytes: process.resourceUsage().maxRSS * 1024 };
console.log(JSON.stringify(reading));

/** Bytes to time-ordered columns with raw addresses: what TraceEvent's streaming parser is compared with. */
async function readStream(path: string): Promise<Omit<Reading, 'peakBytes'>> {
  const capture = await readNettrace(fileChunks(path));
  const seconds = secondsSince(started);
  const { events, eventsLost } = capture;
  const types: Record<string, number> = {};
  let gcs = 0;
  let count = 0;
  for (const { allocations, gcs: collections, types: names } of mergeCaptures([capture])) {
    gcs += collections.length;
    count += allocations.length;
    for (let row = 0; row < allocations.length; row++) {
      const { name } = names[allocations.type[row]];
      types[name] = (types[name] ?? 0) + allocations.amount[row];
    }
  }
  return { seconds, events, eventsLost, gcs, frames: 0, framesUnresolved: 0, allocations: count, types };
}

/** Bytes to a complete Trace with names and lines: what TraceLog is compared with. */
async function readTrace(path: string): Promise<Omit<Reading, 'peakBytes'>> {
  const { recording, gcs, allocations } = await openTrace(path);
  const seconds = secondsSince(started);
  const { events, eventsLost, frames, framesUnresolved } = recording;
  const counts = { events, eventsLost, gcs: gcs.length, frames, framesUnresolved, allocations: allocations.length };
  return { seconds, ...counts, types: {} };
}

function secondsSince(start: bigint): number {
  return Number(process.hrtime.bigint() - start) / 1e9;
}
