import {
  type Cursor,
  cursorOver,
  i64At,
  readU8,
  readVarString,
  readVarUint32,
  readVarUint64,
  skip,
  u64At,
} from './bytes.ts';
import type { EventCount, StreamCapture } from './capture.ts';
import { damaged } from './damage.ts';
import type { EventDefinition, StreamEvent } from './event.ts';
import { type EventSink, readEventBlock, readNetperfBlock } from './events.ts';
import type { Container, Unit } from './framing.ts';
import { readTraceBlock, readTraceObject } from './header.ts';
import { readMetadataEvent, readMetadataRow } from './metadata.ts';
import { createProcessState, type ProcessState } from './process.ts';
import { createSequences } from './sequence.ts';
import { createStacks } from './stacks.ts';

/** A stream whose header was read: takes its units and gathers the capture. */
export interface Stream {
  /** Reads a unit of which the bytes before `available` are there. */
  read(unit: Unit, bytes: Uint8Array, view: DataView, available: number): void;
  /** Seconds from the stream's beginning to its last event; 0 without one. */
  seconds(): number;
  update(progress: { events: number; eventsLost: number; gcHeapBytes: number; lastEventTime: number }): void;
  /** `truncated` says why the stream ends before its end; when it `isDamaged`, what only its last part says is not counted. */
  finish(truncated: string | undefined, isDamaged: boolean): StreamCapture;
}

export function createStream(container: Container, traceUnit: Unit, c: Cursor, summaryOnly: boolean): Stream {
  const { version } = traceUnit;
  const header = version >= 6 ? readTraceBlock(c, traceUnit) : readTraceObject(c, traceUnit.from);
  const { pointerSize, nsPerTick } = header;
  // Up to version 5 the runtime is the only writer: it names no stack and writes no address that is not there.
  const isRuntime = version < 6;
  const stacks = createStacks(pointerSize, isRuntime);
  const sequences = createSequences();
  const event: StreamEvent = {
    ...cursorOver(),
    pointerSize,
    time: Number.NaN,
    thread: 0,
    stackId: 0,
    stackFrom: 0,
    stackTo: 0,
    padded: version < 4,
  };
  let events = 0;
  /**
   * Time of the last event, ns, and the ticks of the latest sequence point (netperf has none, but its events are in
   * order): fields, since a variable of a closure would be a new object on every change.
   */
  const last = { time: Number.NEGATIVE_INFINITY, point: Number.NEGATIVE_INFINITY };
  const isNetperf = container === 'netperf';

  const processes = new Map<number, ProcessState>();
  const processOf = (pid: number): ProcessState => {
    let process = processes.get(pid);
    if (process === undefined) {
      process = createProcessState(pid, stacks);
      processes.set(pid, process);
    }
    return process;
  };
  const mainProcess = processOf(header.pid);

  // Version 6 names threads by an index; before it the events carry the thread's own id.
  const threads = new Map<number, { process: ProcessState; osId: number }>();

  let definitions: EventDefinition[] = [];
  const allDefinitions: EventDefinition[] = [];
  const define = (found: { metadataId: number; definition: EventDefinition }): void => {
    const isProvider = /^[^\0-\x1f]+$/.test(found.definition.provider);
    if (found.metadataId === 0 || !isProvider) damaged('a kind of event is defined without a provider');
    definitions[found.metadataId] = found.definition;
    allDefinitions.push(found.definition);
  };

  const sink: EventSink = {
    event,
    sequences,
    define() {
      define(readMetadataEvent(event, summaryOnly));
    },
    nsPerTick,
    get earliest() {
      return isNetperf ? last.time / nsPerTick : last.point;
    },
    isDefined: (metadataId) => (metadataId === 0 ? version < 6 : definitions[metadataId] !== undefined),
    emit(metadataId, thread) {
      events++;
      if (event.time > last.time) last.time = event.time;
      const definition = definitions[metadataId];
      definition.count++;
      if (definition.handler === undefined) return;
      if (version < 6) {
        event.thread = thread;
        definition.handler(event, mainProcess);
      } else {
        const known = threads.get(thread);
        event.thread = known === undefined ? thread : known.osId;
        definition.handler(event, known === undefined ? mainProcess : known.process);
      }
    },
  };

  const readStacks = (from: number, to: number): void => {
    const { view } = event;
    if (to - from < 8) damaged('a block of stacks is too short');
    const count = view.getUint32(from + 4, true);
    checkStacks(view, from + 8, to, count, pointerSize, isRuntime);
    if (summaryOnly) return;
    stacks.beginBlock(view.getUint32(from, true));
    for (let at = from + 8; at < to; ) {
      const end = at + 4 + view.getUint32(at, true);
      stacks.define(stacks.intern(view, at + 4, end));
      at = end;
    }
  };

  /** All events before it are older, all behind it younger: what it says is believed when the next block agrees. */
  const beginPoint = (ticks: number): void => {
    const time = ticks * nsPerTick;
    if (time < last.time * (1 - ROUNDING)) damaged('a sequence point is older than the events before it');
    last.time = Math.max(last.time, last.point * nsPerTick);
    last.point = ticks;
    sequences.settle();
    stacks.forgetIds();
    for (const { allocations } of processes.values()) allocations.settle();
  };

  const readSequencePoint = (from: number, to: number): void => {
    if (to - from < 12) damaged('a sequence point is too short');
    const { view } = event;
    beginPoint(i64At(view, from));
    if (version < 6) {
      if (from + 12 + 12 * view.getUint32(from + 8, true) !== to) damaged('a sequence point has no end');
      for (let at = from + 12; at + 12 <= to; at += 12)
        sequences.reached(u64At(view, at), view.getUint32(at + 8, true));
      return;
    }
    const flags = view.getUint32(from + 8, true);
    event.pos = from + 16;
    while (event.pos < to) sequences.reached(readVarUint64(event), readVarUint32(event));
    if (flags & 1) {
      threads.clear();
      sequences.forget();
    }
    if (flags & 2) definitions = [];
  };

  const readMetadataBlock = (from: number, to: number): void => {
    let at = from + 2 + event.view.getUint16(from, true);
    if (at > to) damaged('a metadata block begins with a header of impossible size');
    while (at + 2 <= to) {
      const end = at + 2 + event.view.getUint16(at, true);
      if (end > to) damaged('a metadata row reaches beyond its block');
      event.pos = at + 2;
      event.end = end;
      define(readMetadataRow(event, summaryOnly));
      at = end;
    }
  };

  const readThreads = (from: number, to: number): void => {
    let at = from;
    while (at + 2 <= to) {
      const end = at + 2 + event.view.getUint16(at, true);
      if (end > to) damaged('a thread row reaches beyond its block');
      event.pos = at + 2;
      event.end = end;
      const { index, pid, osId, name } = readThread(event, header.pid);
      const process = processOf(pid);
      threads.set(index, { process, osId });
      if (name !== '' && !summaryOnly) process.nameThread(osId, name);
      at = end;
    }
  };

  const readRemovedThreads = (from: number, to: number): void => {
    event.pos = from;
    while (event.pos < to) {
      const index = readVarUint64(event);
      sequences.reached(index, readVarUint32(event));
      threads.delete(index);
    }
  };

  return {
    read(unit, bytes, view, available) {
      event.bytes = bytes;
      event.view = view;
      event.end = unit.to;
      const { kind, from, to } = unit;
      if (kind === 'events' && container === 'netperf') return readNetperfBlock(sink, from, to, available);
      if (kind === 'events' || (kind === 'metadata' && version < 6)) {
        return readEventBlock(sink, version, from, to, available);
      }
      // The other units say something about events that follow them, so an incomplete one has nothing to give.
      if (to > available) return;
      if (kind === 'stacks') readStacks(from, to);
      else if (kind === 'sequence-point') readSequencePoint(from, to);
      else if (kind === 'metadata') readMetadataBlock(from, to);
      else if (kind === 'threads') readThreads(from, to);
      else if (kind === 'remove-threads') readRemovedThreads(from, to);
    },
    seconds: () => Math.max(0, (last.time - header.startTicks * nsPerTick) / 1e9),
    update(progress) {
      progress.events = events;
      progress.eventsLost = sequences.lost;
      if (last.time > Number.NEGATIVE_INFINITY) progress.lastEventTime = last.time;
      let heap = Number.NaN;
      for (const { gcs } of processes.values()) {
        if (!Number.isNaN(gcs.heapBytes)) heap = (Number.isNaN(heap) ? 0 : heap) + gcs.heapBytes;
      }
      progress.gcHeapBytes = heap;
    },
    finish(truncated, isDamaged) {
      const rawStacks = stacks.finish();
      return {
        format: container === 'netperf' ? 'netperf' : 'nettrace',
        version,
        pointerSize,
        startTime: header.startTicks * nsPerTick,
        startedAt: header.startedAt,
        endTime: Math.max(header.startTicks * nsPerTick, last.time),
        events,
        eventsLost: isDamaged ? sequences.lostForSure : sequences.lost,
        eventCounts: countEvents(allDefinitions),
        truncated,
        isCut: truncated !== undefined && !isDamaged,
        // In version 6 every thread may name its process, and then nothing belongs to the one without an id.
        processes: [...processes.values()]
          .filter((process) => process.pid !== 0 || processes.size === 1)
          .map((process) => process.finish(rawStacks, sequences.lost === 0 && !isDamaged)),
      };
    },
  };
}

/** Times of more than 2^53 ns are rounded. */
const ROUNDING = 2 ** -51;

/** Stacks are believed when they fill their block, and none has an address of nothing. */
function checkStacks(view: DataView, from: number, to: number, count: number, size: 4 | 8, isRuntime: boolean): void {
  let at = from;
  for (let left = count; left > 0; left--) {
    if (at + 4 > to) damaged('a block of stacks holds fewer than it says');
    const end = at + 4 + view.getUint32(at, true);
    if (end > to || (end - at - 4) % size !== 0) damaged('a stack reaches beyond its block');
    for (at += 4; at < end; at += size) {
      const isNothing = view.getUint32(at, true) === 0 && (size === 4 || view.getUint32(at + 4, true) === 0);
      if (isNothing && isRuntime) damaged('a stack has an address of nothing');
    }
  }
  if (at !== to) damaged('a block of stacks holds more than it says');
}

/** A row of a thread block: varuint64 index, then entries: u8 kind 1 name, 2 process id, 3 thread id, 4 key and value. */
function readThread(c: Cursor, pid: number): { index: number; pid: number; osId: number; name: string } {
  const thread = { index: readVarUint64(c), pid, osId: -1, name: '' };
  while (c.pos < c.end) {
    const kind = readU8(c);
    if (kind === 1) thread.name = readVarString(c);
    else if (kind === 2) thread.pid = readVarUint64(c);
    else if (kind === 3) thread.osId = readVarUint64(c);
    else if (kind === 4) {
      skip(c, readVarUint32(c));
      skip(c, readVarUint32(c));
    } else break;
  }
  if (thread.osId < 0) thread.osId = thread.index;
  return thread;
}

/** Counts per event, most frequent first; one event can have several metadata rows. */
function countEvents(definitions: readonly EventDefinition[]): EventCount[] {
  const counts = new Map<string, { provider: string; id: number; version: number; name: string; count: number }>();
  for (const { provider, id, version, name, count } of definitions) {
    if (count === 0) continue;
    const key = `${provider}\n${id}\n${version}\n${name}`;
    const row = counts.get(key);
    if (row === undefined) counts.set(key, { provider, id, version, name, count });
    else row.count += count;
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}
