import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Bytes, createWriter, type EventRow, RUNTIME, START } from '../test/read/nettrace/nettrace-writer.ts';
import { WORK } from './peers.ts';

/** How large a trace is. Each stack is allocated under at least once, as far as the allocations go. */
export interface TraceSize {
  readonly name: string;
  readonly allocations: number;
  readonly stacks: number;
}

export const LARGE: TraceSize = { name: 'large', allocations: 10_000_000, stacks: 100_000 };
export const TINY: TraceSize = { name: 'tiny', allocations: 1_000, stacks: 100 };

const THREADS = 12;
const METHODS = 8_000;
const MODULES = [
  'Shop',
  'Shop.Orders',
  'Shop.Data',
  'Json',
  'Orm',
  'System.Private.CoreLib',
  'System.Linq',
  'System.Net',
];
const TYPES = 600;
const NS_BETWEEN_ALLOCATIONS = 600;
const ALLOCATIONS_BETWEEN_GCS = 100_000;
const EVENTS_PER_BLOCK = 20_000;
const BLOCKS_PER_SEQUENCE_POINT = 200;

const METADATA = {
  sampled: 1,
  method: 2,
  module: 3,
  gcStart: 4,
  gcEnd: 5,
  heapStats: 6,
  suspend: 7,
  restart: 8,
  info: 9,
};

/**
 * A .nettrace (version 4) as a busy server on .NET 10 would leave it: sampled allocations of a dozen threads, skewed so
 * that a few stacks and types make most of them, collections, and the names of all methods. Written once, then kept.
 */
export function syntheticTrace(size: TraceSize): string {
  const path = join(WORK, `synthetic-${size.name}.nettrace`);
  if (existsSync(path)) return path;
  console.error(`writing ${path} with ${size.allocations} allocations, once: a few minutes when it is large`);
  const file = openSync(`${path}.part`, 'w');
  for (const bytes of traceBytes(size)) writeSync(file, bytes);
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}

function* traceBytes({ allocations, stacks: count }: TraceSize): Generator<Uint8Array> {
  const random = createRandom();
  const writer = createWriter({ version: 4, pointerSize: 8, compressed: true });
  define(writer);
  const sequences = new Int32Array(THREADS + 1);
  const event = (metadataId: number, thread: number, stackId: number, at: number, payload: Uint8Array): EventRow => ({
    metadataId,
    sequence: ++sequences[thread],
    capture: thread,
    thread,
    stackId,
    time: START.ticks + at,
    payload,
  });
  writer.events([
    event(METADATA.info, 1, 0, 0, new Bytes().utf16('/app/shop --urls http://localhost').utf16('linux').done()),
    ...MODULES.map((name, i) => event(METADATA.module, 1, 0, 0, modulePayload(i, name))),
    ...Array.from({ length: METHODS }, (_, i) => event(METADATA.method, 1, 0, 0, methodPayload(i))),
  ]);
  const stacks = randomStacks(count, random);
  const kinds = stacks.map(() => Array.from({ length: 1 + random(2) }, () => allocationPayload(random)));
  let gcs = 0;
  for (let at = 0, block = 0; at < allocations; block++) {
    if (block % BLOCKS_PER_SEQUENCE_POINT === 0) {
      if (block > 0) writer.sequencePoint(START.ticks, []);
      writer.stacks(1, stacks);
    }
    const events: EventRow[] = [];
    for (const end = Math.min(allocations, at + EVENTS_PER_BLOCK); at < end; at++) {
      const stack = at < count ? at : Math.floor(count * (random(2 ** 24) / 2 ** 24) ** 3);
      const payloads = kinds[stack];
      const time = at * NS_BETWEEN_ALLOCATIONS;
      events.push(event(METADATA.sampled, 1 + random(THREADS), stack + 1, time, payloads[random(payloads.length)]));
      if (at % ALLOCATIONS_BETWEEN_GCS === ALLOCATIONS_BETWEEN_GCS - 1) events.push(...collection(++gcs, time, event));
    }
    writer.events(events);
    yield writer.take();
  }
  writer.end();
  yield writer.take();
}

type Writer = ReturnType<typeof createWriter>;

function define(writer: Writer): void {
  writer.define(METADATA.sampled, RUNTIME, 303, 0);
  writer.define(METADATA.method, RUNTIME, 143, 2);
  writer.define(METADATA.module, RUNTIME, 152, 2);
  writer.define(METADATA.gcStart, RUNTIME, 1, 2);
  writer.define(METADATA.gcEnd, RUNTIME, 2, 1);
  writer.define(METADATA.heapStats, RUNTIME, 4, 2);
  writer.define(METADATA.suspend, RUNTIME, 9, 1);
  writer.define(METADATA.restart, RUNTIME, 3, 1);
  writer.define(METADATA.info, 'Microsoft-DotNETCore-EventPipe', 1, 0);
}

/** Numerical Recipes' generator: the same trace on every machine. */
function createRandom(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const METHOD_BYTES = 256;
const addressOf = (method: number) => 0x7f00_0000_0000 + method * METHOD_BYTES;

/** Addresses leaf first. Each stack goes on from some part of one before, so that outer parts are shared. */
function randomStacks(count: number, random: (below: number) => number): number[][] {
  const stacks: number[][] = [];
  const seen = new Set<string>();
  while (stacks.length < count) {
    const base = stacks.length === 0 ? [] : stacks[random(stacks.length)];
    const shared = base.slice(Math.min(base.length, random(8)));
    const inner = Array.from({ length: 1 + random(7) }, () => addressOf(random(METHODS)) + 16 * random(3));
    const stack = [...inner, ...shared].slice(-100);
    if (seen.has(stack.join())) continue;
    seen.add(stack.join());
    stacks.push(stack);
  }
  return stacks;
}

/** Types and methods are drawn unevenly: the low numbers most. */
const skewed = (below: number, random: (below: number) => number) =>
  Math.floor((below * random(1000) * random(1000)) / 1e6);

function allocationPayload(random: (below: number) => number): Uint8Array {
  const type = skewed(TYPES, random);
  const isLarge = random(50) === 0;
  const size = isLarge ? 85_000 + 8 * random(500_000) : 24 + 8 * random(60);
  const name = isLarge ? `Shop.Buffer${type % 7}[]` : `Shop.Model.Type${type}`;
  return new Bytes()
    .u32(isLarge ? 1 : 0)
    .u16(8)
    .u64(0x7e00_0000_0000 + (isLarge ? TYPES + (type % 7) : type) * 64)
    .utf16(name)
    .u64(0x7d00_0000_0000)
    .u64(size)
    .u64(0)
    .done();
}

function modulePayload(module: number, name: string): Uint8Array {
  const folder = name.startsWith('System') ? '/usr/share/dotnet/shared/Microsoft.NETCore.App/10.0.0' : '/app';
  const body = new Bytes().u64(moduleId(module)).u64(1).u32(8).u32(0).utf16(`${folder}/${name}.dll`).utf16('').u16(8);
  return body.raw(new Uint8Array(16)).u32(0).utf16('').raw(new Uint8Array(22)).done();
}

const moduleId = (module: number) => 0x5000 + module * 0x100;

function methodPayload(method: number): Uint8Array {
  const module = method % MODULES.length;
  return new Bytes()
    .u64(0x10_0000 + method * 16)
    .u64(moduleId(module))
    .u64(addressOf(method))
    .u32(METHOD_BYTES)
    .u32(0x0600_0001 + method)
    .u32(0x8)
    .utf16(`${MODULES[module]}.Class${method % 400}`)
    .utf16(`Method${method}`)
    .utf16('void  ()')
    .u16(8)
    .u64(0)
    .done();
}

function collection(
  number: number,
  at: number,
  event: (metadataId: number, thread: number, stackId: number, at: number, payload: Uint8Array) => EventRow,
): EventRow[] {
  const depth = number % 10 === 0 ? 2 : number % 3 === 0 ? 1 : 0;
  const stats = new Bytes();
  for (const size of [1, 2, 40, 200]) stats.u64(size * 1e6 + number * 1e5).u64(size * 5e5);
  stats.u64(0).u64(0).u32(3).u32(0).u32(200).u16(8).u64(0).u64(0);
  const gcThread = 1;
  return [
    event(METADATA.suspend, gcThread, 0, at + 10, new Bytes().u32(1).u32(number).u16(8).done()),
    event(
      METADATA.gcStart,
      gcThread,
      0,
      at + 20,
      new Bytes().u32(number).u32(depth).u32(0).u32(0).u16(8).u64(0).done(),
    ),
    event(METADATA.gcEnd, gcThread, 0, at + 60, new Bytes().u32(number).u32(depth).u16(8).done()),
    event(METADATA.heapStats, gcThread, 0, at + 70, stats.done()),
    event(METADATA.restart, gcThread, 0, at + 90, new Bytes().u16(8).done()),
  ];
}
