import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import type { StreamCapture } from '../../src/read/nettrace/capture.ts';
import { readNettrace } from '../../src/read/nettrace/index.ts';
import { openTrace } from '../../src/read/open.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { dotnetTrace, type JudgedAllocations, judgeStream, judgeTraceLog } from '../support/judges.ts';
import { memsurge, scratchFolder } from '../support/memsurge.ts';
import { FRAMEWORKS, samplePath } from '../support/samples.ts';

/** What our reader says, in the terms of the judge. */
function allocationsOf(capture: StreamCapture): JudgedAllocations {
  const types = new Map<string, { type: string; count: number; bytes: number }>();
  let bytes = 0;
  let count = 0;
  for (const { allocations, types: names } of capture.processes) {
    count += allocations.length;
    const rows = allocations;
    for (let i = 0; i < rows.length; i++) {
      const type = names[rows.type[i]].name;
      const total = types.get(type) ?? { type, count: 0, bytes: 0 };
      types.set(type, total);
      total.count++;
      total.bytes += rows.amount[i];
      bytes += rows.amount[i];
    }
  }
  return { count, bytes, types: [...types.values()] };
}

/** TraceEvent does not know this provider by its name. */
const EVENT_PIPE_PROVIDER = 'Provider(92f528a6-f5b8-5160-a7ee-b33da7739e29)';

const byName = (allocations: JudgedAllocations) =>
  [...allocations.types].sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));

/** memsurge and TraceEvent must say the same of one file. */
async function expectParity(file: string, source: 'ticks' | 'samples'): Promise<void> {
  const judge = await judgeStream(file);
  const capture = await readNettrace(createReadStream(file));
  expect(judge.events).toBeGreaterThan(1000);
  expect(capture.events).toBe(judge.events);
  expect(capture.eventsLost).toBe(judge.eventsLost);

  const ours = allocationsOf(capture);
  expect(ours.count).toBeGreaterThan(100);
  expect(ours.count).toBe(judge[source].count);
  expect(ours.bytes).toBe(judge[source].bytes);
  expect(byName(ours)).toEqual(byName(judge[source]));

  const gcs = capture.processes.reduce((sum, process) => sum + process.gcs.length, 0);
  expect(gcs).toBe(judge.gcs);

  const key = (one: { provider: string; id: number; version: number; count: number }) =>
    `${one.provider.replace(EVENT_PIPE_PROVIDER, 'Microsoft-DotNETCore-EventPipe')} ${one.id} v${one.version}: ${one.count}`;
  expect(capture.eventCounts.map(key).sort()).toEqual(judge.eventCounts.map(key).sort());
}

describe('TraceEvent and memsurge say the same', async () => {
  const folder = await scratchFolder();

  test.each(FRAMEWORKS)("of dotnet-trace's file on %s", async (framework) => {
    const file = join(folder, `${framework}.nettrace`);
    await dotnetTrace('gc-verbose', file, samplePath('mixed', framework));
    await expectParity(file, 'ticks');
  });

  test('of the frames on the stacks, and which of them have names', async () => {
    const file = join(folder, 'frames.nettrace');
    await dotnetTrace('gc-verbose', file, samplePath('mixed'));
    const judge = await judgeTraceLog(file);
    const { recording } = await openTrace(file);
    expect(judge.frames).toBeGreaterThan(10_000);
    expect(recording.frames).toBe(judge.frames);
    expect(recording.framesUnresolved).toBeLessThanOrEqual(judge.framesUnresolved);
  });

  test('of our own recording, which stays a standard .nettrace inside the trace', async () => {
    const trace = join(folder, 'mixed.memsurge');
    await memsurge('run', '-o', trace, '--', samplePath('mixed'));
    const opened = await openTraceFile(trace);
    const part = opened.manifest.processes[0].streams[0];
    const file = join(folder, 'part.nettrace');
    await pipeline(opened.stream(part), createWriteStream(file));
    await opened.close();
    await expectParity(file, 'samples');
  });
});
