import { deepEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { JudgedAllocations, StreamJudgement, TraceLogJudgement } from '../test/support/judges.ts';
import { ROOT } from '../test/support/root.ts';
import { samplePath } from '../test/support/samples.ts';
import { alternate, median, medianRatio, printResult, type Run, type Side } from './measure.ts';
import { dotnetTraceRun, WORK } from './peers.ts';
import type { Reading } from './read-once.ts';

// Reading a .nettrace of at least 200 MB: memsurge against TraceEvent's streaming parser, and with all stacks named
// against its TraceLog. node scripts/bench.mjs read-nettrace [ROUNDS [FILE]]

const ROUNDS = Number(process.argv[2] ?? 5);
const FILE = process.argv[3] ?? makeTrace();
const BYTES = statSync(FILE).size;
const JUDGE = join(ROOT, '.build', 'judges', 'traceevent-judge', 'traceevent-judge');

const READ_ONCE = [process.execPath, join(import.meta.dirname, 'read-once.js')];
const stream: Side = { name: 'memsurge, stream', command: () => [...READ_ONCE, 'stream', FILE] };
const control: Side = { name: 'memsurge, stream again', command: () => [...READ_ONCE, 'stream', FILE] };
const traceEvent: Side = { name: 'TraceEvent, stream', command: () => [JUDGE, 'stream', FILE] };
const open: Side = { name: 'memsurge, names and lines', command: () => [...READ_ONCE, 'open', FILE] };
const traceLog: Side = { name: 'TraceLog, names', command: () => [JUDGE, 'tracelog', FILE] };

const runs = await alternate([stream, control, traceEvent, open, traceLog], ROUNDS);
compareFigures();
printTimes();

function makeTrace(): string {
  const trace = join(WORK, 'churn.nettrace');
  if (!existsSync(trace)) {
    console.error('making a .nettrace of more than 200 MB, once: about a minute');
    const [command, ...args] = dotnetTraceRun(trace, [samplePath('churn'), '280000', '2']);
    execFileSync(command, args, { stdio: 'ignore' });
  }
  return trace;
}

/** @throws AssertionError when the readers do not agree on what the file says. */
function compareFigures(): void {
  const judged = last<StreamJudgement>(traceEvent);
  const logged = last<TraceLogJudgement>(traceLog);
  const read = last<Reading>(stream);
  const named = last<Reading>(open);

  const { count, types } = together(judged);
  const ours = {
    events: read.events,
    lost: read.eventsLost,
    gcs: read.gcs,
    allocations: read.allocations,
    types: read.types,
  };
  deepEqual(ours, { events: judged.events, lost: judged.eventsLost, gcs: judged.gcs, allocations: count, types });
  deepEqual([named.allocations, named.gcs], [count, judged.gcs]);

  console.log(`${FILE}: ${(BYTES / 1e6).toFixed(1)} MB; memsurge and TraceEvent agree on`);
  console.log(
    `  ${read.events} events, ${read.eventsLost} lost, ${read.gcs} GCs, ${count} allocations, bytes of ${Object.keys(types).length} types`,
  );
  console.log(
    `  frames: memsurge ${named.frames}, of them unnamed ${named.framesUnresolved}; TraceLog ${logged.frames} and ${logged.framesUnresolved}`,
  );
  console.log(
    `  peak memory of memsurge: ${(read.peakBytes / 1e6).toFixed(0)} MB, with names ${(named.peakBytes / 1e6).toFixed(0)} MB`,
  );
}

function together({ ticks, samples }: StreamJudgement): { count: number; types: Record<string, number> } {
  const types: Record<string, number> = {};
  const add = (from: JudgedAllocations) => {
    for (const { type, bytes } of from.types) types[type] = (types[type] ?? 0) + bytes;
  };
  add(ticks);
  add(samples);
  return { count: ticks.count + samples.count, types };
}

function printTimes(): void {
  const row = (side: Side, peer: Side) => {
    const seconds = median(secondsOf(side));
    return [side.name, seconds, BYTES / 1e6 / seconds, medianRatio(secondsOf(side), secondsOf(peer))];
  };
  const columns = ['reader', 'seconds', 'MB/s', 'times memsurge'];
  printResult('read-nettrace', columns, [
    row(stream, stream),
    row(control, stream),
    row(traceEvent, stream),
    row(open, open),
    row(traceLog, open),
  ]);
}

function secondsOf(side: Side): number[] {
  return runs.get(side)!.map((run: Run) => (JSON.parse(run.stdout) as { seconds: number }).seconds);
}

function last<T>(side: Side): T {
  return JSON.parse(runs.get(side)!.at(-1)!.stdout) as T;
}
