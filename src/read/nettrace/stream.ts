import { TraceError } from '../../trace/errors.ts';
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
import { readMetadataEvent, readMetadataRow } from './metadata.ts';
import { createProcessState, type ProcessState } from './process.ts';
import { createSequences } from './sequence.ts';
import { createStacks } from './stacks.ts';

/** A stream whose header was read: takes its units and gathers the capture. */
export interface Stream {
  /** Reads a unit of which the bytes before `available` are there. */
  read(unit: Unit, bytes: Uint8Array, view: DataView, available: number): void;
  update(progress: { events: number; eventsLost: number; gcHeapBytes: number; lastEventTime: number }): void;
  finish(truncated: string | undefined): StreamCapture;
}

export function createStream(container: Container, traceUnit: Unit, c: Cursor, summaryOnly: boolean): Stream {
  const { version } = traceUnit;
  const header = version >= 6 ? readTraceBlock(c, traceUnit) : readTraceObject(c, traceUnit.from);
  const { pointerSize, nsPerTick } = header;
  const stacks = createStacks(pointerSize);
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
  /** Time of the last event, ns: a field, since a variable of a closure would be a new object on every change. */
  const last = { time: Number.NEGATIVE_INFINITY };

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
    emit(metadataId, thread) {
      events++;
      if (event.time > last.time) last.time = event.time;
      const definition = definitions[metadataId];
      if (definition === undefined) return;
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
    if (summaryOnly || to - from < 8) return;
    stacks.beginBlock(view.getUint32(from, true));
    let at = from + 8;
    for (let left = view.getUint32(from + 4, true); left > 0 && at + 4 <= to; left--) {
      const end = at + 4 + view.getUint32(at, true);
      if (end > to) damaged('a stack reaches beyond its block');
      stacks.define(stacks.intern(view, at + 4, end));
      at = end;
    }
  };

  const readSequencePoint = (from: number, to: number): void => {
    if (to - from < 12) damaged('a sequence point is too short');
    const { view } = event;
    last.time = Math.max(last.time, i64At(view, from) * nsPerTick);
    stacks.forgetIds();
    for (const { allocations } of processes.values()) allocations.settle();
    if (version < 6) {
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
    finish(truncated) {
      const rawStacks = stacks.finish();
      return {
        format: container === 'netperf' ? 'netperf' : 'nettrace',
        version,
        pointerSize,
        startTime: header.startTicks * nsPerTick,
        startedAt: header.startedAt,
        endTime: Math.max(header.startTicks * nsPerTick, last.time),
        events,
        eventsLost: sequences.lost,
        eventCounts: countEvents(allDefinitions),
        truncated,
        // In version 6 every thread may name its process, and then nothing belongs to the one without an id.
        processes: [...processes.values()]
          .filter((process) => process.pid !== 0 || processes.size === 1)
          .map((process) => process.finish(rawStacks)),
      };
    },
  };
}

interface TraceHeader {
  startedAt: number;
  startTicks: number;
  nsPerTick: number;
  pointerSize: 4 | 8;
  pid: number;
}

/** Date (8 × i16: year, month, day of week, day, …), i64 ticks, i64 frequency, i32 pointer size; the same up to version 6. */
function readTraceStart(view: DataView, at: number): Omit<TraceHeader, 'pid'> {
  const [year, month, , day, hour, minute, second, ms] = Array.from({ length: 8 }, (_, i) =>
    view.getInt16(at + 2 * i, true),
  );
  const frequency = i64At(view, at + 24);
  const pointerSize = view.getInt32(at + 32, true);
  if (!(frequency > 0))
    throw new TraceError(`the stream states a clock of ${frequency} ticks per second: it is damaged.`);
  if (pointerSize !== 4 && pointerSize !== 8) {
    throw new TraceError(`the stream states pointers of ${pointerSize} bytes: it is damaged.`);
  }
  return {
    startedAt: Date.UTC(year, month - 1, day, hour, minute, second, ms),
    startTicks: i64At(view, at + 16),
    nsPerTick: 1e9 / frequency,
    pointerSize,
  };
}

/** Then i32 process id, i32 processors, i32 sampling rate. */
function readTraceObject(c: Cursor, from: number): TraceHeader {
  return { ...readTraceStart(c.view, from), pid: c.view.getInt32(from + 36, true) };
}

/** Then i32 count of key-value pairs; the process id is one of them where there is one process. */
function readTraceBlock(c: Cursor, unit: Unit): TraceHeader {
  if (unit.to - unit.from < 40) damaged('the description of the trace is too short');
  const pairs = cursorOver(c.bytes, unit.from + 40, unit.to);
  let pid = 0;
  for (let left = c.view.getUint32(unit.from + 36, true); left > 0 && pairs.pos < pairs.end; left--) {
    const key = readVarString(pairs);
    const value = readVarString(pairs);
    if (key === 'ProcessId' && Number.isSafeInteger(Number(value))) pid = Number(value);
  }
  return { ...readTraceStart(c.view, unit.from), pid };
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
