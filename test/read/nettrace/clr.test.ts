import { describe, expect, test } from 'vitest';
import { mergeCaptures } from '../../../src/read/nettrace/index.ts';
import { collectionsOf } from '../../support/rows.ts';
import { Bytes, createWriter, RUNDOWN, RUNTIME, START, tickPayload } from './nettrace-writer.ts';
import { eventOf, numbered, readIn } from './streams.ts';

interface Written {
  provider?: string;
  id: number;
  version: number;
  time: number;
  payload: Bytes;
  thread?: number;
}

/** A stream of any runtime events; reading it gives its only process. */
function capture(events: readonly Written[], pointerSize: 4 | 8 = 8) {
  const writer = createWriter({ version: 4, pointerSize, compressed: true });
  const rows = events.map(({ provider = RUNTIME, id, version, time, payload, thread }, i) => {
    writer.define(i + 1, provider, id, version);
    return eventOf(i + 1, time, payload, thread);
  });
  writer.events(numbered(rows));
  writer.end();
  return readIn(writer.bytes(), 777);
}
const processOf = (events: readonly Written[], pointerSize?: 4 | 8) => capture(events, pointerSize).processes[0];

const method = (ids: { id: number; start: number; size?: number; flags?: number; name?: string; rejit?: number }) =>
  new Bytes()
    .u64(ids.id)
    .u64(0x5000)
    .u64(ids.start)
    .u32(ids.size ?? 64)
    .u32(0x0600_0001)
    .u32(ids.flags ?? 0x8)
    .utf16('Space.Type')
    .utf16(ids.name ?? 'Run')
    .utf16('void  ()')
    .u16(8)
    .u64(ids.rejit ?? 0);
const ilMapOf = (methodId: number, pairs: [il: number, native: number][], rejit = 0) => {
  const body = new Bytes().u64(methodId).u64(rejit).u8(0).u16(pairs.length);
  for (const [il] of pairs) body.u32(il);
  for (const [, native] of pairs) body.u32(native);
  return body.u16(8).u64(0);
};
const at = (time: number) => START.ticks + time;

describe('code', () => {
  test('tiers of a method are separate bodies, each with its own IL map', () => {
    const { code } = processOf([
      { id: 143, version: 2, time: 1, payload: method({ id: 1, start: 0x1000, flags: 0x8 | (3 << 7) }) },
      {
        id: 190,
        version: 1,
        time: 2,
        payload: ilMapOf(1, [
          [0, 10],
          [-2 >>> 0, 0],
          [5, 20],
        ]),
      },
      { id: 143, version: 2, time: 3, payload: method({ id: 1, start: 0x2000, flags: 0x8 | (4 << 7) }) },
      { id: 190, version: 1, time: 4, payload: ilMapOf(1, [[7, 3]]) },
      { id: 144, version: 2, time: 9, payload: method({ id: 1, start: 0x1000 }) },
    ]);
    expect(code).toEqual([
      {
        start: 0x1000,
        size: 64,
        from: at(1),
        to: at(9),
        methodId: 1,
        rejitId: 0,
        moduleId: 0x5000,
        token: 0x0600_0001,
        namespace: 'Space.Type',
        name: 'Run',
        signature: 'void  ()',
        origin: 'jit',
        optimized: false,
        ilMap: { native: Int32Array.of(0, 10, 20), il: Int32Array.of(-2, 0, 5) },
      },
      expect.objectContaining({ start: 0x2000, from: at(3), to: Number.POSITIVE_INFINITY, optimized: true }),
    ]);
    expect(code[1].ilMap).toEqual({ native: Int32Array.of(3), il: Int32Array.of(7) });
  });

  test('version 1 of the event has no ReJIT id, dynamic and precompiled code are told apart', () => {
    const v1 = (flags: number, start: number) => {
      const bytes = method({ id: start, start, flags }).done();
      return new Bytes().raw(bytes.subarray(0, bytes.length - 8));
    };
    const { code } = processOf([
      { id: 143, version: 1, time: 1, payload: v1(0x1 | 0x8, 0x100) },
      { provider: RUNDOWN, id: 144, version: 1, time: 2, payload: v1(0, 0x200) },
      { provider: RUNDOWN, id: 143, version: 1, time: 2, payload: v1(0x10, 0x300) },
    ]);
    expect(code.map((body) => [body.origin, body.rejitId, body.from])).toEqual([
      ['dynamic', 0, at(1)],
      ['r2r', 0, Number.NEGATIVE_INFINITY],
      ['dynamic', 0, Number.NEGATIVE_INFINITY],
    ]);
  });

  test('a rundown adds what it alone knows: bodies without a beginning, and IL maps', () => {
    const { code } = processOf([
      { id: 143, version: 2, time: 5, payload: method({ id: 1, start: 0x1000 }) },
      { provider: RUNDOWN, id: 144, version: 2, time: 8, payload: method({ id: 1, start: 0x1000 }) },
      { provider: RUNDOWN, id: 150, version: 1, time: 8, payload: ilMapOf(1, [[0, 0]]) },
      { provider: RUNDOWN, id: 144, version: 2, time: 8, payload: method({ id: 2, start: 0x2000 }) },
    ]);
    expect(code.map((body) => [body.start, body.from, body.ilMap !== undefined])).toEqual([
      [0x1000, at(5), true],
      [0x2000, Number.NEGATIVE_INFINITY, false],
    ]);
  });

  test('memory used again ends the body before', () => {
    const { code } = processOf([
      { id: 143, version: 2, time: 1, payload: method({ id: 1, start: 0x1000 }) },
      { id: 143, version: 2, time: 6, payload: method({ id: 2, start: 0x1000 }) },
    ]);
    expect(code.map((body) => [body.methodId, body.from, body.to])).toEqual([
      [1, at(1), at(6)],
      [2, at(6), Number.POSITIVE_INFINITY],
    ]);
  });

  test('entry points of precompiled code stay only where no body is', () => {
    const entry = (id: number, start: number) =>
      new Bytes().u64(id).utf16('Space.Type').utf16('Go').utf16('void  ()').u64(start).u16(8);
    const { code } = processOf([
      { id: 159, version: 0, time: 1, payload: entry(1, 0x1000) },
      { id: 159, version: 0, time: 2, payload: entry(2, 0x8000) },
      { provider: RUNDOWN, id: 144, version: 2, time: 8, payload: method({ id: 1, start: 0x1000, flags: 0 }) },
    ]);
    expect(code.map((body) => [body.start, body.size, body.origin, body.name])).toEqual([
      [0x1000, 64, 'r2r', 'Run'],
      [0x8000, 0, 'r2r', 'Go'],
    ]);
  });

  test('modules with their PDB', () => {
    const guid = [0x78, 0x56, 0x34, 0x12, 0x34, 0x12, 0x78, 0x56, 1, 2, 3, 4, 5, 6, 7, 8];
    const module = () => new Bytes().u64(0x5000).u64(1).u32(8).u32(0).utf16('/app/a.dll').utf16('');
    const withPdb = () => module().u16(8).raw(guid).u32(1).utf16('/obj/a.pdb').raw(new Uint8Array(22));
    const inDomain = new Bytes().u64(0x6000).u64(1).u64(2).u32(8).u32(0).utf16('/app/b.dll').utf16('').u16(8);
    const { modules } = processOf([
      { id: 152, version: 2, time: 1, payload: withPdb() },
      { provider: RUNDOWN, id: 154, version: 2, time: 2, payload: withPdb() },
      { id: 151, version: 1, time: 3, payload: inDomain },
      { id: 153, version: 2, time: 4, payload: withPdb() },
    ]);
    expect(modules).toEqual([
      {
        moduleId: 0x5000,
        path: '/app/a.dll',
        from: at(1),
        to: at(4),
        pdbGuid: '12345678-1234-5678-0102-030405060708',
        pdbAge: 1,
        pdbPath: '/obj/a.pdb',
      },
      expect.objectContaining({ moduleId: 0x6000, path: '/app/b.dll', pdbGuid: '', pdbPath: '' }),
    ]);
  });
});

describe('allocations', () => {
  const sampled = (pointerSize: 4 | 8, kind: number, name: string, size: number) =>
    new Bytes().u32(kind).u16(8).pointer(0x77, pointerSize).utf16(name).pointer(0x99, pointerSize).u64(size).u64(5);
  const object = (pointerSize: 4 | 8, type: number, count: number, size: number) =>
    new Bytes().pointer(0x99, pointerSize).pointer(type, pointerSize).u32(count).u64(size).u16(8);
  const bulk = (types: { id: number; flags: number; name: string; parameters: number[] }[]) => {
    const body = new Bytes().u32(types.length).u16(8);
    for (const { id, flags, name, parameters } of types) {
      body.u64(id).u64(0).u32(0).u32(flags).u8(0).utf16(name).u32(parameters.length);
      for (const parameter of parameters) body.u64(parameter);
    }
    return body;
  };

  test.each([4, 8] as const)(
    'randomized sampling, and ticks beside it count nothing twice (pointers of %i bytes)',
    (pointerSize) => {
      const tick = tickPayload(4, pointerSize, { kind: 0, amount: 9, typeId: 1, typeName: 'T', size: 9 });
      const process = processOf(
        [
          { id: 10, version: 4, time: 1, payload: new Bytes().raw(tick) },
          { id: 303, version: 0, time: 2, payload: sampled(pointerSize, 1, 'A.B[]', 500_000) },
          { id: 10, version: 4, time: 3, payload: new Bytes().raw(tick) },
        ],
        pointerSize,
      );
      expect(process.allocationSource).toBe('allocation-sampled');
      expect(Array.from(process.allocations.objectSize)).toEqual([500_000]);
      expect(Array.from(process.allocations.heap)).toEqual([2]);
      expect(process.types[process.allocations.type[0]].name).toBe('A.B[]');
    },
  );

  test.each([4, 8] as const)(
    'every object, named by type events that come later (pointers of %i bytes)',
    (pointerSize) => {
      const { allocationSource, allocations, types } = processOf(
        [
          { id: 20, version: 0, time: 1, payload: object(pointerSize, 0x10, 1, 24) },
          { id: 20, version: 0, time: 2, payload: object(pointerSize, 0x20, 1, 90_000) },
          { id: 32, version: 0, time: 3, payload: object(pointerSize, 0x30, 1, 24) },
          {
            id: 15,
            version: 0,
            time: 4,
            payload: bulk([
              { id: 0x10, flags: 0, name: 'My.List`1', parameters: [0x11] },
              { id: 0x11, flags: 0, name: 'My.Item', parameters: [] },
              { id: 0x20, flags: 0x208, name: '', parameters: [0x11] },
            ]),
          },
        ],
        pointerSize,
      );
      expect(allocationSource).toBe('exact');
      expect(Array.from(allocations.type, (row) => types[row].name)).toEqual([
        'My.List`1[My.Item]',
        'My.Item[,]',
        'unknown type 0x30',
      ]);
      expect(Array.from(allocations.heap)).toEqual([1, 2, 1]);
    },
  );

  test('an event for several objects is not called exact', () => {
    const { allocationSource, allocations } = processOf([
      { id: 20, version: 0, time: 1, payload: object(8, 0x10, 4, 96) },
    ]);
    expect(allocationSource).toBe('allocation-tick');
    const { objectSize, amount } = allocations;
    expect([objectSize[0], amount[0]]).toEqual([24, 96]);
  });

  test('types that contain each other without end get a name of bounded length', () => {
    const types = [0x10, 0x20, 0x30].map((id) => ({
      id,
      flags: 0,
      name: 'G`2',
      parameters: new Array(60).fill(((id + 0x10) % 0x30) + 0x10),
    }));
    const process = processOf([
      { id: 20, version: 0, time: 1, payload: object(8, 0x10, 1, 24) },
      { id: 15, version: 0, time: 4, payload: bulk(types) },
    ]);
    expect(process.types[0].name.length).toBeLessThanOrEqual(4096);
  });
});

describe('collections', () => {
  const start = (number: number, depth: number, type: number) =>
    new Bytes().u32(number).u32(depth).u32(4).u32(type).u16(8).u64(0);
  const end = (number: number, depth: number) => new Bytes().u32(number).u32(depth).u16(8);
  const stats = (base: number) => {
    const body = new Bytes();
    for (let generation = 0; generation < 4; generation++) body.u64(base + generation).u64(base * 10 + generation);
    return body
      .u64(0)
      .u64(0)
      .u32(3)
      .u32(0)
      .u32(77)
      .u16(8)
      .u64(base + 4)
      .u64(base * 10 + 4);
  };
  const perHeap = (free: number, pointerSize = 8) => {
    const body = new Bytes().u16(8);
    for (let i = 0; i < 6; i++) body.pointer(0, pointerSize);
    for (let i = 0; i < 6; i++) body.u32(0);
    body.pointer(0, pointerSize).u32(5);
    for (let generation = 0; generation < 5; generation++) {
      for (const value of [0, 0, 0, 9999, free, generation, 0, 0, 0, 0]) body.pointer(value, pointerSize);
    }
    return body;
  };
  const committed = (inUse: number) => {
    const body = new Bytes().utf16('CommittedUsage').u32(42).u16(1);
    for (const value of [inUse, 1, 2, 3, 40]) body.u64(value);
    return body.u16(8);
  };
  const suspend = (reason: number) => new Bytes().u32(reason).u32(0).u16(8);
  const nothing = () => new Bytes().u16(8);

  test.each([4, 8] as const)(
    'a blocking one on two heaps, its events on two threads (pointers of %i bytes)',
    (pointerSize) => {
      const { gcs } = processOf(
        [
          { id: 1, version: 2, time: 20, thread: 2, payload: start(1, 1, 0) },
          { id: 39, version: 0, time: 21, thread: 2, payload: committed(1000) },
          { id: 204, version: 3, time: 30, thread: 2, payload: perHeap(100, pointerSize) },
          { id: 204, version: 3, time: 31, thread: 2, payload: perHeap(200, pointerSize) },
          { id: 9, version: 1, time: 10, payload: suspend(1) },
          { id: 39, version: 0, time: 40, payload: committed(500) },
          { id: 2, version: 1, time: 41, payload: end(1, 1) },
          { id: 4, version: 2, time: 42, payload: stats(1000) },
          { id: 3, version: 1, time: 60, payload: nothing() },
        ],
        pointerSize,
      );
      expect(collectionsOf(gcs)).toEqual([
        {
          number: 1,
          start: at(20),
          end: at(41),
          depth: 1,
          reason: 'large object allocation',
          type: 'blocking',
          pause: 50,
          size: [1000, 1001, 1002, 1003, 1004],
          free: [300, 302, 304, 306, 308],
          promoted: [10_000, 10_001, 10_002, 10_003, 10_004],
          pinnedObjects: 3,
          handles: 77,
          committed: 546,
          committedFree: 6,
          bookkeeping: 40,
        },
      ]);
    },
  );

  test('a background one with another above it: both pauses, free space that is reported after its end, and none of the young generations, which is of before', () => {
    const { gcs } = processOf([
      { id: 9, version: 1, time: 0, payload: suspend(1) },
      { id: 1, version: 2, time: 1, payload: start(1, 2, 1) },
      { id: 3, version: 1, time: 5, payload: nothing() },
      { id: 9, version: 1, time: 10, payload: suspend(1) },
      { id: 1, version: 2, time: 11, payload: start(2, 0, 2) },
      { id: 204, version: 3, time: 12, payload: perHeap(1) },
      { id: 2, version: 1, time: 13, payload: end(2, 0) },
      { id: 4, version: 2, time: 14, payload: stats(50) },
      { id: 3, version: 1, time: 16, payload: nothing() },
      { id: 9, version: 1, time: 20, payload: suspend(3) }, // not for a collection
      { id: 3, version: 1, time: 29, payload: nothing() },
      { id: 9, version: 1, time: 30, thread: 9, payload: suspend(6) },
      { id: 3, version: 1, time: 33, thread: 9, payload: nothing() },
      { id: 2, version: 1, time: 50, thread: 9, payload: end(1, 2) },
      { id: 4, version: 2, time: 51, thread: 9, payload: stats(90) },
      { id: 204, version: 3, time: 52, thread: 9, payload: perHeap(10) },
      { id: 204, version: 3, time: 53, thread: 9, payload: perHeap(20) },
      { id: 1, version: 2, time: 60, payload: start(3, 0, 0) },
    ]);
    expect(
      collectionsOf(gcs).map((gc) => [
        gc.number,
        gc.type,
        gc.pause,
        gc.end,
        gc.free[0],
        gc.free[2],
        gc.size[0],
        gc.committed,
      ]),
    ).toEqual([
      [1, 'background', 8, at(50), Number.NaN, 34, 90, Number.NaN],
      [2, 'foreground', 6, at(13), 1, 3, 50, Number.NaN],
      [3, 'blocking', 0, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN],
    ]);
  });

  test('the first versions of the events', () => {
    const old = stats(10).done();
    const { gcs } = processOf([
      { id: 9, version: 0, time: 0, payload: new Bytes().u16(1) },
      { id: 1, version: 0, time: 1, payload: new Bytes().u32(7).u32(1) },
      { id: 2, version: 0, time: 2, payload: new Bytes().u32(7).u16(2) },
      { id: 4, version: 0, time: 3, payload: new Bytes().raw(old.subarray(0, 92)) },
      { id: 3, version: 0, time: 4, payload: new Bytes() },
    ]);
    expect(collectionsOf(gcs)).toMatchObject([
      { number: 7, depth: 2, reason: 'induced', pause: 4, handles: 77, size: [10, 11, 12, 13, 0] },
    ]);
  });
});

test('the runtime and the command line', () => {
  const info = new Bytes().u16(8).u16(2);
  for (const part of [10, 0, 0, 0, 10, 0, 1226, 5]) info.u16(part);
  info.u32(0).u8(1).utf16('/usr/bin/dotnet app.dll').raw(new Uint8Array(16)).utf16('/usr/lib/libcoreclr.so');
  const other = new Bytes().utf16('app --flag').utf16('Linux').utf16('x64');
  expect(processOf([{ id: 187, version: 0, time: 1, payload: info }])).toMatchObject({
    runtime: '.NET 10.0.12',
    commandLine: '/usr/bin/dotnet app.dll',
  });
  const provider = 'Microsoft-DotNETCore-EventPipe';
  expect(processOf([{ provider, id: 1, version: 1, time: 1, payload: other }]).commandLine).toBe('app --flag');
});

describe('streams of the same process', () => {
  const payload = new Bytes().raw(tickPayload(4, 8, { kind: 0, amount: 9, typeId: 1, typeName: 'T', size: 9 }));
  const body = method({ id: 1, start: 0x1000 });

  test('code, modules and collections are joined and kept once', () => {
    const main = capture([{ id: 10, version: 4, time: 1, payload }]);
    const live = capture([
      { id: 143, version: 2, time: 3, payload: body },
      { id: 1, version: 2, time: 4, payload: new Bytes().u32(1).u32(0).u32(0).u32(0).u16(8).u64(0) },
    ]);
    const rundown = capture([
      { provider: RUNDOWN, id: 144, version: 2, time: 8, payload: body },
      { provider: RUNDOWN, id: 150, version: 1, time: 8, payload: ilMapOf(1, [[0, 0]]) },
      { provider: RUNDOWN, id: 144, version: 2, time: 8, payload: method({ id: 2, start: 0x2000 }) },
    ]);
    for (const order of [
      [main, live, rundown],
      [rundown, live, main],
    ]) {
      const merged = mergeCaptures(order);
      expect(merged).toHaveLength(1);
      const code = [...merged[0].code].sort((a, b) => a.start - b.start);
      expect(code.map((one) => [one.start, one.from, one.ilMap !== undefined])).toEqual([
        [0x1000, at(3), true],
        [0x2000, Number.NEGATIVE_INFINITY, false],
      ]);
      expect([...merged[0].gcs.number]).toEqual([1]);
      expect(merged[0].allocations).toEqual(main.processes[0].allocations);
      expect(merged[0].allocationSource).toBe('allocation-tick');
    }
  });

  test('allocations of one source are joined in time order', () => {
    const first = capture([
      { id: 10, version: 4, time: 1, payload, thread: 5 },
      { id: 10, version: 4, time: 9, payload, thread: 6 },
    ]);
    const second = capture([{ id: 10, version: 4, time: 4, payload, thread: 6 }]);
    const [{ allocations, threads, types }] = mergeCaptures([first, second]);
    expect(Array.from(allocations.time)).toEqual([at(1), at(4), at(9)]);
    expect(Array.from(allocations.thread, (row) => threads[row].osId)).toEqual([5, 6, 6]);
    expect(types.map((type) => type.name)).toEqual(['T']);
  });

  test('different processes stay apart', () => {
    const one = createWriter({ version: 4, pointerSize: 8, compressed: true, pid: 1 });
    const two = createWriter({ version: 4, pointerSize: 8, compressed: true, pid: 2 });
    const captures = [one, two, one].map((writer) => readIn(writer.bytes(), 1000));
    expect(mergeCaptures(captures).map((process) => process.pid)).toEqual([1, 2]);
  });
});
