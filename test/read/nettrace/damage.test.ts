import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createNettraceReader } from '../../../src/read/nettrace/index.ts';
import { TraceError } from '../../../src/trace/errors.ts';
import { random } from '../../support/random.ts';

/**
 * What a damaged stream says is at most what the whole one says: no event more, none lost that was not, no time that was
 * not. The streams are real ones, of which nothing was lost.
 */
const STREAMS = (['sampled', 'ticks'] as const).map((name) =>
  gunzipSync(readFileSync(new URL(`../../fixtures/${name}.nettrace.gz`, import.meta.url))),
);
const RUNS = 20;
/** The stream's own description: nothing can be said of a stream that has none. */
const HEADER_BYTES = 128;

interface Figures {
  readonly events: number;
  readonly allocations: number;
  readonly bytes: number;
  readonly lost: number;
  readonly duration: number;
  readonly truncated: string | undefined;
}

function read(bytes: Uint8Array): Figures {
  const reader = createNettraceReader({ size: bytes.length });
  reader.push(bytes);
  const capture = reader.end();
  const amounts = capture.processes.map(({ allocations }) => allocations.amount);
  return {
    events: capture.events,
    allocations: amounts.reduce((sum, { length }) => sum + length, 0),
    bytes: amounts.reduce((sum, amount) => amount.reduce((all, one) => all + one, sum), 0),
    lost: capture.eventsLost,
    duration: capture.endTime - capture.startTime,
    truncated: capture.truncated,
  };
}

interface Block {
  readonly name: string;
  readonly start: number;
  /** Of what it holds. */
  readonly from: number;
  readonly to: number;
}

/** The blocks behind the description of a stream of version 4. */
function blocksOf(bytes: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let start = 32; bytes[start] !== 1; ) {
    const nameLength = bytes.readUInt32LE(start + 11);
    const name = bytes.toString('latin1', start + 15, start + 15 + nameLength);
    const body = start + 16 + nameLength;
    if (name === 'Trace') {
      start = body + 49;
      continue;
    }
    const from = (body + 7) & ~3;
    const to = from + bytes.readUInt32LE(body);
    blocks.push({ name, start, from, to });
    start = to + 1;
  }
  return blocks;
}

type Next = (below: number) => number;
type Damage = (bytes: Buffer, next: Next, other: Buffer) => Buffer;

const place = (bytes: Buffer, next: Next) => HEADER_BYTES + next(bytes.length - HEADER_BYTES);
const hole = (bytes: Buffer, next: Next, value = 0): Buffer => {
  const at = place(bytes, next);
  return bytes.fill(value, at, Math.min(bytes.length, at + 16 + next(3000)));
};
const flipIn = (name: string): Damage => {
  return (bytes, next) => {
    const blocks = blocksOf(bytes).filter((block) => block.name === name);
    const { from, to } = blocks[next(blocks.length)];
    bytes[from + next(to - from)] ^= 1 << next(8);
    return bytes;
  };
};

const DAMAGES: Record<string, Damage> = {
  'a hole of zeros': (bytes, next) => hole(bytes, next),
  'several holes': (bytes, next) => Array.from({ length: 2 + next(4) }).reduce<Buffer>((all) => hole(all, next), bytes),
  'a hole of ones': (bytes, next) => hole(bytes, next, 0xff),
  noise(bytes, next) {
    const at = place(bytes, next);
    for (let i = at; i < Math.min(bytes.length, at + 1 + next(2000)); i++) bytes[i] = next(256);
    return bytes;
  },
  'two streams, one behind the other': (bytes, next, other) =>
    Buffer.concat([bytes.subarray(0, bytes.length - next(2)), other]),
  'a piece of another stream in the middle'(bytes, next, other) {
    const at = place(bytes, next);
    const from = next(other.length);
    const piece = other.subarray(from, from + 1 + next(60_000));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + (next(2) ? piece.length : 0))]);
  },
  'a block twice'(bytes, next) {
    const blocks = blocksOf(bytes);
    const again = blocks[next(blocks.length)];
    const at = blocks[next(blocks.length)].start;
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(again.start, again.to + 1), bytes.subarray(at)]);
  },
  "a bit of a block's header"(bytes, next) {
    const { start, from } = blocksOf(bytes).filter((one) => one.name === 'EventBlock')[next(2)];
    bytes[start + next(from + 20 - start)] ^= 1 << next(8);
    return bytes;
  },
  'a bit of a stack': flipIn('StackBlock'),
};

describe.each(Object.entries(DAMAGES))('%s', (_, damage) => {
  test('leaves at most what was true before it', () => {
    let damaged = 0;
    for (const [index, stream] of STREAMS.entries()) {
      const truth = read(stream);
      expect(truth).toMatchObject({ lost: 0, truncated: undefined });
      for (let run = 0; run < RUNS; run++) {
        const next = random(index * 1_000_003 + run);
        const bytes = damage(Buffer.from(stream), next, STREAMS[next(STREAMS.length)]);
        try {
          const found = read(bytes);
          const at = `stream ${index}, run ${run}: ${found.truncated}`;
          expect(found.events, at).toBeLessThanOrEqual(truth.events);
          expect(found.allocations, at).toBeLessThanOrEqual(truth.allocations);
          expect(found.bytes, at).toBeLessThanOrEqual(truth.bytes);
          expect(found.lost, at).toBe(0);
          // The last sequence point may count where more comes behind it.
          expect(found.duration, at).toBeLessThanOrEqual(truth.duration + 50e6);
          if (found.truncated !== undefined) damaged++;
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
          damaged++;
        }
      }
    }
    expect(damaged).toBeGreaterThan(0);
  });
});

test('the sentence says where, after what time and in how much of the stream', () => {
  const [stream] = STREAMS;
  const { start, from, to } = blocksOf(stream).filter((block) => block.name === 'EventBlock')[1];
  const { truncated, events } = read(Buffer.from(stream).fill(0, from + 1000, Math.min(to, from + 3000)));
  const share = ((100 * start) / stream.length).toFixed(1);
  expect(truncated).toMatch(
    new RegExp(
      `^The stream is damaged at byte ${start} \\(${share} % of it\\), \\d+\\.\\d{3} s after its start \\(.+\\): what came before is kept, what came after is in no figure\\.$`,
    ),
  );
  expect(events).toBeGreaterThan(0);
});

describe('a sequence point that is damaged', () => {
  const [stream] = STREAMS;
  const point = blocksOf(stream).find((block) => block.name === 'SPBlock')!;

  test('gives no time that was not', () => {
    const truth = read(stream);
    for (let bit = 0; bit < 64; bit++) {
      const bytes = Buffer.from(stream);
      bytes[point.from + (bit >> 3)] ^= 1 << (bit & 7);
      expect(read(bytes).duration, `bit ${bit}`).toBeLessThanOrEqual(truth.duration);
    }
  });

  test('that is a hole loses nothing', () => {
    expect(read(Buffer.from(stream).fill(0, point.from, point.to)).lost).toBe(0);
  });
});
