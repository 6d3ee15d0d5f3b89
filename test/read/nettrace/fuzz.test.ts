import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createNettraceReader } from '../../../src/read/nettrace/index.ts';
import { TraceError } from '../../../src/trace/errors.ts';
import { isLong } from '../../support/long.ts';
import { random } from '../../support/random.ts';
import { FORMATS, nameOf, STACKS, type Tick, TYPE_NAMES, tickStream } from './streams.ts';

/** What reading one small damaged stream may allocate beside its own bytes. */
const MEMORY_LIMIT = 8 * 2 ** 20;
const RUNS_PER_STREAM = isLong ? 5000 : 300;

/** A copy with bytes changed, removed, repeated or cut off. */
function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  let result = Uint8Array.from(bytes);
  for (let left = 1 + next(8); left > 0; left--) {
    const at = next(result.length);
    const kind = next(10);
    const extremes = [0, 1, 0x7f, 0x80, 0xff];
    if (kind < 5) result[at] = next(2) === 0 ? next(256) : extremes[next(extremes.length)];
    else if (kind < 7) result.fill(0xff, at, at + 1 + next(8));
    else if (kind === 7) result = Uint8Array.from([...result.subarray(0, at), ...result.subarray(at + 1 + next(20))]);
    else if (kind === 8) result = Uint8Array.from([...result.subarray(0, at + next(40)), ...result.subarray(at)]);
    else result = result.slice(0, Math.max(1, at));
    if (result.length === 0) return Uint8Array.of(1);
  }
  return result;
}

/** Reads whatever it is; anything but a result or a TraceError fails. */
function survive(bytes: Uint8Array, chunk: number, summaryOnly: boolean): 'read' | 'refused' {
  const reader = createNettraceReader({ summaryOnly });
  try {
    for (let at = 0; at < bytes.length; at += chunk) reader.push(bytes.subarray(at, at + chunk));
    const capture = reader.end();
    const rows = capture.processes.reduce(
      (sum, { allocations, stacks }) => sum + allocations.length + stacks.length,
      0,
    );
    expect(rows).toBeLessThanOrEqual(bytes.length * capture.processes.length);
    for (const { allocations, threads, types, stacks } of capture.processes) {
      const rows = allocations;
      for (let i = 0; i < rows.length; i++) {
        expect(threads[rows.thread[i]]).toBeDefined();
        expect(types[rows.type[i]]).toBeDefined();
        expect(rows.stack[i]).toBeLessThan(stacks.length);
        if (i > 0) expect(rows.time[i]).toBeGreaterThanOrEqual(rows.time[i - 1]);
      }
    }
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(TraceError);
    return 'refused';
  }
}

const TICKS: Tick[] = Array.from({ length: 30 }, (_, i) => ({
  time: (i * 37) % 50,
  thread: 1 + (i % 3),
  kind: i % 3,
  amount: 100_000 + i,
  type: i % TYPE_NAMES.length,
  size: 24 + i,
  stack: i % (STACKS.length + 1),
}));
const fixture = (name: string) =>
  gunzipSync(readFileSync(new URL(`../../fixtures/${name}.nettrace.gz`, import.meta.url)));

const STREAMS = [
  ...FORMATS.map((format) => ({ name: nameOf(format), bytes: () => tickStream(format, TICKS) })),
  { name: 'a real stream', bytes: () => fixture('ticks') },
  { name: 'the beginning of a real stream with methods and modules', bytes: () => fixture('sampled').slice(0, 12_000) },
];

describe('damaged bytes never crash the reader, keep it busy or take memory', () => {
  test.each(STREAMS.map((stream, index) => ({ ...stream, index })))('$name', ({ bytes, index }) => {
    const original = bytes();
    expect(survive(original, 1000, false)).toBe('read');
    const outcomes = { read: 0, refused: 0 };
    for (let run = 0; run < RUNS_PER_STREAM; run++) {
      const next = random(index * 1_000_003 + run);
      const mutated = mutate(original, next);
      const before = process.memoryUsage().arrayBuffers;
      outcomes[survive(mutated, 1 + next(5000), run % 10 === 0)]++;
      expect(process.memoryUsage().arrayBuffers - before, `run ${run}`).toBeLessThan(MEMORY_LIMIT);
    }
    expect(outcomes.read).toBeGreaterThan(RUNS_PER_STREAM / 2);
  });

  test('any bytes behind a good header', () => {
    for (let run = 0; run < 500; run++) {
      const next = random(run);
      const header = tickStream(FORMATS[run % FORMATS.length], []);
      survive(Buffer.concat([header.subarray(0, -5), Uint8Array.from({ length: 2000 }, () => next(256))]), 300, false);
    }
  });
});
