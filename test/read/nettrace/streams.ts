import type { StreamCapture } from '../../../src/read/nettrace/capture.ts';
import { createNettraceReader, type NettraceOptions } from '../../../src/read/nettrace/index.ts';
import {
  type Bytes,
  createWriter,
  type EventRow,
  RUNTIME,
  START,
  tickPayload,
  type WriterOptions,
} from './nettrace-writer.ts';

export const FORMATS: readonly WriterOptions[] = [
  { version: 3, pointerSize: 8, compressed: false },
  { version: 3, pointerSize: 4, compressed: false },
  { version: 4, pointerSize: 8, compressed: true },
  { version: 4, pointerSize: 4, compressed: true },
  { version: 4, pointerSize: 8, compressed: false },
  { version: 5, pointerSize: 8, compressed: true },
  { version: 6, pointerSize: 8, compressed: true },
  { version: 6, pointerSize: 4, compressed: false },
];

export const nameOf = ({ version, pointerSize, compressed }: WriterOptions): string =>
  `version ${version}, ${pointerSize * 8} bit, ${compressed ? 'compressed' : 'full'} headers`;

/** Reads bytes in chunks of `size`. */
export function readIn(bytes: Uint8Array, size: number, options?: NettraceOptions): StreamCapture {
  const reader = createNettraceReader(options);
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = new Uint8Array(bytes.subarray(at, at + size));
    reader.push(chunk);
    // The caller may use its buffer again: what the reader still took from it would be wrong.
    chunk.fill(0xee);
  }
  return reader.end();
}

export interface Tick {
  time: number;
  thread: number;
  kind: number;
  amount: number;
  type: number;
  size: number;
  /** 0 for none, else 1-based into STACKS. */
  stack: number;
}

export const TYPE_NAMES = ['System.Byte[]', 'System.String', 'Ünïcode`1[[€]]', ''];
export const STACKS = [[0x10_1000, 0x10_2000, 0x10_3000], [0x10_9000, 0x10_2000, 0x10_3000], [0x7fff_f000]];

/** Numbers the events of each thread from 1 on. */
export function numbered(rows: readonly Omit<EventRow, 'sequence' | 'capture'>[]): EventRow[] {
  const last = new Map<number, number>();
  return rows.map((row) => {
    const sequence = (last.get(row.thread) ?? 0) + 1;
    last.set(row.thread, sequence);
    return { ...row, capture: row.thread, sequence };
  });
}

/**
 * A stream of allocation ticks (version 4 of the event), `perBlock` to a block, a sequence point after every other block.
 * As in a real stream the order of the ticks is kept only between two sequence points (netperf: not at all).
 */
export function tickStream(format: WriterOptions, given: readonly Tick[], perBlock = 7): Uint8Array {
  const ticks = betweenPoints(given, format.version === 3 ? 1 : 2 * perBlock);
  const writer = createWriter(format);
  writer.define(1, RUNTIME, 10, 4);
  writer.define(2, 'Demo', 1, 0, 'Plain');
  const threads = [...new Set(ticks.map((tick) => tick.thread))];
  if (format.version === 6) writer.threads(threads.map((id) => ({ index: id, osId: id, pid: 4321, name: `t${id}` })));
  const rows = numbered(
    ticks.map((tick) => ({
      metadataId: 1,
      thread: tick.thread,
      stackId: tick.stack,
      stack: tick.stack === 0 ? [] : STACKS[tick.stack - 1],
      time: START.ticks + tick.time,
      payload: tickPayload(4, format.pointerSize, {
        ...tick,
        typeId: 0x7000 + tick.type * 8,
        typeName: TYPE_NAMES[tick.type],
      }),
    })),
  );
  for (let at = 0; at < rows.length; at += perBlock) {
    if ((at / perBlock) % 2 === 0) {
      if (at > 0) writer.sequencePoint(Math.max(...rows.slice(0, at).map((row) => row.time)), []);
      writer.stacks(1, STACKS);
    }
    writer.events(rows.slice(at, at + perBlock));
    if (format.version >= 4) writer.unknownBlock();
  }
  writer.end();
  return writer.bytes();
}

/** Sorted by time, but for the order within every `count` of them. */
function betweenPoints(ticks: readonly Tick[], count: number): Tick[] {
  const order = ticks.map((_, i) => i).sort((a, b) => ticks[a].time - ticks[b].time || a - b);
  const regions: number[][] = [];
  for (let at = 0; at < order.length; at += count) regions.push(order.slice(at, at + count).sort((a, b) => a - b));
  return regions.flat().map((i) => ticks[i]);
}

/** The allocations of a capture's first process, in words. */
export function allocationsOf(capture: StreamCapture): unknown[] {
  const { stacks, types, threads, ...process } = capture.processes[0];
  const allocations = process.allocations;
  return Array.from({ length: allocations.length }, (_, i) => {
    const path: number[] = [];
    for (let row = allocations.stack[i]; row >= 0; row = stacks.prefix[row]) path.push(stacks.address[row]);
    return {
      time: allocations.time[i] - capture.startTime,
      thread: threads[allocations.thread[i]].osId,
      heap: allocations.heap[i],
      type: types[allocations.type[i]].name,
      size: allocations.objectSize[i],
      amount: allocations.amount[i],
      path,
    };
  });
}

/** What allocationsOf gives for these ticks: in time order, equal times in file order. */
export function expectedOf(ticks: readonly Tick[]): unknown[] {
  return [...ticks]
    .sort((a, b) => a.time - b.time)
    .map((tick) => ({
      time: tick.time,
      thread: tick.thread,
      heap: tick.kind + 1,
      type: TYPE_NAMES[tick.type],
      size: tick.size,
      amount: tick.amount,
      path: tick.stack === 0 ? [] : STACKS[tick.stack - 1],
    }));
}

/** One event of the runtime on thread 1. */
export const eventOf = (metadataId: number, time: number, payload: Bytes | Uint8Array, thread = 1) => ({
  metadataId,
  thread,
  stackId: 0,
  time: START.ticks + time,
  payload: payload instanceof Uint8Array ? payload : payload.done(),
});
