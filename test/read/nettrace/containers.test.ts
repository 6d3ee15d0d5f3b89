import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createNettraceReader, readNettrace } from '../../../src/read/nettrace/index.ts';
import { TraceError } from '../../../src/trace/errors.ts';
import { isLong } from '../../support/long.ts';
import { collectionsOf } from '../../support/rows.ts';
import { Bytes, createWriter, RUNTIME, START, tickPayload } from './nettrace-writer.ts';
import {
  allocationsOf,
  eventOf,
  expectedOf,
  FORMATS,
  nameOf,
  numbered,
  readIn,
  type Tick,
  tickStream,
} from './streams.ts';

const TICKS: Tick[] = [
  { time: 500, thread: 11, kind: 0, amount: 106_000, type: 0, size: 24, stack: 1 },
  { time: 900, thread: 11, kind: 1, amount: 200_000, type: 1, size: 200_000, stack: 2 },
  { time: 700, thread: 12, kind: 2, amount: 130_000, type: 2, size: 64, stack: 0 },
  { time: 710, thread: 12, kind: 0, amount: 105_000, type: 3, size: 48, stack: 3 },
  { time: 950, thread: 11, kind: 0, amount: 105_000, type: 0, size: 24, stack: 1 },
  { time: 940, thread: 13, kind: 0, amount: 105_000, type: 0, size: 24, stack: 2 },
];

describe.each(FORMATS.map((format) => ({ format, name: nameOf(format) })))('$name', ({ format }) => {
  test('the header, the counts and every allocation come out as written, whatever the chunks', () => {
    const bytes = tickStream(format, TICKS, 2);
    for (const size of [1, 3, 64, bytes.length]) {
      const capture = readIn(bytes, size);
      expect(capture).toMatchObject({
        format: format.version === 3 ? 'netperf' : 'nettrace',
        version: format.version,
        pointerSize: format.pointerSize,
        startTime: START.ticks,
        startedAt: START.utc,
        endTime: START.ticks + 950,
        events: TICKS.length,
        eventsLost: 0,
        truncated: undefined,
        eventCounts: [{ provider: RUNTIME, id: 10, version: 4, count: TICKS.length }],
      });
      expect(capture.processes.map((process) => process.pid)).toEqual([4321]);
      expect(capture.processes[0].allocationSource).toBe('allocation-tick');
      expect(allocationsOf(capture)).toEqual(expectedOf(TICKS));
    }
  });

  test('stacks that share callers share rows', () => {
    const { stacks } = readIn(tickStream(format, TICKS), 999).processes[0];
    expect(stacks.length).toBe(5);
    for (let row = 0; row < stacks.length; row++) expect(stacks.prefix[row]).toBeLessThan(row);
  });
});

test('a clock that does not tick in ns is converted', () => {
  const writer = createWriter({ version: 4, pointerSize: 8, compressed: true, frequency: 10_000_000 });
  writer.define(1, RUNTIME, 10, 1);
  writer.events(numbered([eventOf(1, 5, tickPayload(1, 8, { kind: 0, amount: 1, typeId: 0, typeName: '', size: 0 }))]));
  writer.end();
  const capture = readIn(writer.bytes(), 100);
  expect(capture.startTime).toBe(START.ticks * 100);
  expect(capture.processes[0].allocations.time[0]).toBe((START.ticks + 5) * 100);
});

test.each([
  [0, 'allocation-tick-without-size'],
  [1, 'allocation-tick-without-size'],
  [2, 'allocation-tick-without-size'],
  [3, 'allocation-tick-without-size'],
  [4, 'allocation-tick'],
] as const)('version %i of the tick event is read', (version, source) => {
  for (const pointerSize of [4, 8] as const) {
    const writer = createWriter({ version: 4, pointerSize, compressed: true });
    writer.define(1, RUNTIME, 10, version);
    const tick = { kind: 1, amount: 123_456, typeId: 0x7000, typeName: 'A.B', size: 99 };
    writer.events(numbered([eventOf(1, 1, tickPayload(version, pointerSize, tick))]));
    writer.end();
    const [process] = readIn(writer.bytes(), 50).processes;
    expect(process.allocationSource).toBe(source);
    expect(process.types.map((type) => type.name)).toEqual([version >= 2 ? 'A.B' : '']);
    const { heap, amount, objectSize } = process.allocations;
    expect(heap[0]).toBe(2);
    expect(amount[0]).toBe(123_456);
    expect(objectSize[0]).toBe(version === 4 ? 99 : 0);
  }
});

describe('lost events', () => {
  const lossy = (version: 4 | 6, compressed: boolean) => {
    const writer = createWriter({ version, pointerSize: 8, compressed });
    writer.define(1, 'Demo', 1, 0, 'Plain');
    const event = { metadataId: 1, thread: 5, stackId: 0, payload: new Uint8Array(4) };
    writer.events([
      { ...event, capture: 5, sequence: 1, time: START.ticks },
      { ...event, capture: 6, sequence: 3, time: START.ticks + 1 }, // 2 lost before
      { ...event, capture: 5, sequence: 2, time: START.ticks + 2 },
      { ...event, capture: 5, sequence: 5, time: START.ticks + 3 }, // 2 lost
      { ...event, capture: 6, sequence: 4, time: START.ticks + 4 },
    ]);
    writer.events([{ ...event, capture: 6, sequence: 1, time: START.ticks + 5 }]); // another thread with the same id
    writer.sequencePoint(START.ticks + 6, [
      { thread: 5, sequence: 15 }, // 10 lost
      { thread: 6, sequence: 1 },
      { thread: 9, sequence: 100 }, // a thread that lost everything
    ]);
    writer.end();
    return readIn(writer.bytes(), 13);
  };
  test.each([
    [4, true],
    [4, false],
    [6, true],
  ] as const)(
    'gaps per capturing thread and at sequence points are counted (version %i, compressed %s)',
    (version, compressed) => {
      const capture = lossy(version, compressed);
      expect(capture).toMatchObject({ events: 6, eventsLost: 114, endTime: START.ticks + 5 });
      expect(capture.processes.map(({ isWhole }) => isWhole)).toEqual([false]);
    },
  );
});

test.each([
  // The runtime names no stack that it did not write: the stream is damaged.
  [4, [[0xaaaa], [0xbbbb]]],
  [6, [[0xaaaa], [0xbbbb], []]],
] as const)('stack ids end at a sequence point (version %i)', (version, expected) => {
  const writer = createWriter({ version, pointerSize: 8, compressed: true });
  writer.define(1, RUNTIME, 10, 4);
  const payload = tickPayload(4, 8, { kind: 0, amount: 1, typeId: 8, typeName: 'T', size: 1 });
  const rows = numbered([1, 2, 3].map((time) => ({ ...eventOf(1, time, payload), stackId: time === 3 ? 7 : 1 })));
  writer.stacks(1, [[0xaaaa]]);
  writer.events([rows[0]]);
  writer.sequencePoint(START.ticks + 1, []);
  writer.stacks(1, [[0xbbbb]]);
  writer.events(rows.slice(1));
  writer.end();
  const paths = allocationsOf(readIn(writer.bytes(), 1000)).map((row) => (row as { path: number[] }).path);
  expect(paths).toEqual(expected);
});

test('version 6 holds several processes and names threads', () => {
  const writer = createWriter({ version: 6, pointerSize: 8, compressed: true });
  writer.define(1, RUNTIME, 10, 4);
  writer.threads([
    { index: 1, osId: 500, pid: 4321, name: 'main' },
    { index: 2, osId: 600, pid: 99, name: 'other' },
  ]);
  const payload = tickPayload(4, 8, { kind: 0, amount: 1, typeId: 8, typeName: 'T', size: 1 });
  writer.events(numbered([eventOf(1, 1, payload, 1), eventOf(1, 2, payload, 2), eventOf(1, 3, payload, 2)]));
  writer.removeThreads([{ index: 2, sequence: 2 }]);
  writer.end();
  const capture = readIn(writer.bytes(), 10);
  expect(capture.eventsLost).toBe(0);
  expect(capture.processes.map(({ pid, threads, allocations }) => [pid, threads, allocations.length])).toEqual([
    [4321, [{ osId: 500, name: 'main' }], 1],
    [99, [{ osId: 600, name: 'other' }], 2],
  ]);
});

describe('what is not a trace is refused by name', () => {
  const refused = (bytes: Uint8Array) => {
    for (const size of [1, bytes.length]) {
      expect(() => readIn(bytes, size)).toThrow(TraceError);
    }
    return () => readIn(bytes, bytes.length);
  };
  const version = (bytes: Uint8Array, at: number, value: number) => bytes.map((byte, i) => (i === at ? value : byte));

  test('other files and nothing', () => {
    expect(refused(Buffer.from('PK\x03\x04 a zip of something'))).toThrow(/not a \.nettrace or \.netperf/);
    expect(refused(Buffer.from('Nettracx and more of it, and more'))).toThrow(/not a \.nettrace/);
    expect(() => createNettraceReader().end()).toThrow(TraceError);
    expect(refused(Buffer.from('Nettr'))).toThrow(/ends in its header/);
  });
  test('another file of the same serialization', () => {
    const bytes = new Bytes().u32(20).raw(Buffer.from('!FastSerialization.1')).u8(5).u8(5).u8(1).u32(1).u32(1);
    expect(refused(bytes.u32(8).raw(Buffer.from('GCHeapDm')).u8(6).done())).toThrow(/"GCHeapDm"/);
  });
  test('versions', () => {
    const six = tickStream({ version: 6, pointerSize: 8, compressed: true }, []);
    expect(refused(version(six, 12, 7))).toThrow('this is version 7 of nettrace, memsurge reads 4 to 6');
    const four = tickStream({ version: 4, pointerSize: 8, compressed: true }, []);
    expect(refused(version(four, 35, 9))).toThrow('version 9 of nettrace');
    const three = tickStream({ version: 3, pointerSize: 8, compressed: false }, []);
    expect(refused(version(three, 27, 2))).toThrow('version 2 of netperf');
    const first = new Bytes().u32(20).raw(Buffer.from('!FastSerialization.1')).u8(5).u8(5).u8(1).u32(1).u32(0);
    const name = 'Microsoft.DotNet.Runtime.EventPipeFile';
    expect(refused(first.u32(name.length).raw(Buffer.from(name)).u8(6).done())).toThrow('version 1 of netperf');
  });
});

describe('a stream that is cut or damaged keeps what came before', () => {
  const ticks: Tick[] = Array.from({ length: 12 }, (_, i) => ({ ...TICKS[i % TICKS.length], time: i + 1 }));

  test.each(FORMATS.map((format) => ({ format, name: nameOf(format) })))('cut at every byte: $name', ({ format }) => {
    const bytes = tickStream(format, ticks, 3);
    const all = expectedOf(ticks);
    let seen = 0;
    for (let cut = 0; cut < bytes.length; cut++) {
      let capture: ReturnType<typeof readIn>;
      try {
        capture = readIn(bytes.subarray(0, cut), 4096);
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
        expect(seen).toBe(0);
        continue;
      }
      const rows = allocationsOf(capture);
      expect(rows).toEqual(all.slice(0, rows.length));
      expect(rows.length).toBeGreaterThanOrEqual(seen);
      expect(capture.truncated).toMatch(/ends without its end mark/);
      seen = rows.length;
    }
    expect(seen).toBe(all.length);
  });

  test(`a real stream cut at every ${isLong ? '' : '11th '}byte`, () => {
    const bytes = gunzipSync(readFileSync(new URL('../../fixtures/ticks.nettrace.gz', import.meta.url)));
    const whole = readIn(bytes, bytes.length);
    expect(whole.truncated).toBeUndefined();
    let seen = whole.events;
    for (let cut = bytes.length - 1; cut >= 300; cut -= isLong ? 1 : 11) {
      const capture = readIn(bytes.subarray(0, cut), cut);
      expect(capture.truncated).toBeDefined();
      expect(capture.events).toBeLessThanOrEqual(seen);
      if (cut === bytes.length - 1) expect(capture.events).toBe(whole.events);
      seen = capture.events;
    }
    expect(seen).toBe(0);
  });

  test('damage in the middle', () => {
    const writer = createWriter({ version: 4, pointerSize: 8, compressed: true });
    writer.define(1, RUNTIME, 10, 4);
    const payload = tickPayload(4, 8, { kind: 0, amount: 1, typeId: 8, typeName: 'T', size: 1 });
    const rows = numbered([eventOf(1, 1, payload), eventOf(1, 2, payload)]);
    writer.events([rows[0]]);
    writer.rawBlock(
      'EventBlock',
      2,
      new Bytes().u16(20).u16(1).raw(new Uint8Array(16)).raw(new Uint8Array(20).fill(0xff)).done(),
    );
    writer.events([rows[1]]);
    writer.end();
    const capture = readIn(writer.bytes(), 1000);
    expect(capture.truncated).toMatch(
      /damaged at byte \d+, 0\.000 s after its start \(an event reaches beyond its block\): what came before is kept/,
    );
    expect(capture.events).toBe(1);
  });

  test('a block of more than 64 MiB is damage and costs no memory', () => {
    const bytes = tickStream({ version: 4, pointerSize: 8, compressed: true }, ticks).slice(0, -1);
    const claim = (size: number) =>
      new Bytes().u8(5).u8(5).u8(1).u32(2).u32(2).u32(10).raw(Buffer.from('EventBlock')).u8(6).u32(size).done();
    expect(readIn(Buffer.concat([bytes, claim(0xffff_fff0)]), 50).truncated).toMatch(/a block claims 4294967280 bytes/);

    const reader = createNettraceReader();
    reader.push(Buffer.concat([bytes, claim(60 * 2 ** 20)]));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) reader.push(new Uint8Array(1000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(reader.end().processes[0].allocations.length).toBe(ticks.length);
  });
});

describe('progress', () => {
  test('is live, and a summary keeps no tables', async () => {
    const bytes = gunzipSync(readFileSync(new URL('../../fixtures/ticks.nettrace.gz', import.meta.url)));
    const reader = createNettraceReader({ summaryOnly: true });
    const { progress } = reader;
    expect(progress).toMatchObject({ events: 0, eventsLost: 0, gcHeapBytes: Number.NaN });
    let seen = 0;
    for (let at = 0; at < bytes.length; at += 1000) {
      reader.push(bytes.subarray(at, at + 1000));
      expect(progress.events).toBeGreaterThanOrEqual(seen);
      seen = progress.events;
    }
    const whole = await readNettrace([bytes]);
    const summary = reader.end();
    expect(progress.events).toBe(whole.events);
    expect(progress.lastEventTime).toBe(whole.endTime);
    const lastGc = collectionsOf(whole.processes[0].gcs).at(-1)!;
    expect(progress.gcHeapBytes).toBe(lastGc.size.reduce((sum, size) => sum + size, 0));
    expect(summary).toMatchObject({ events: whole.events, eventsLost: 0, truncated: undefined });
    const [{ allocations, stacks, types, code, gcs }] = summary.processes;
    expect([allocations.length, stacks.length, types.length, code.length, gcs.length]).toEqual([0, 0, 0, 0, 0]);
  });
});
