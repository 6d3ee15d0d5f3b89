import { i64At, readVarInt64Bits, readVarUint32, readVarUint64, u64At } from './bytes.ts';
import { damaged } from './damage.ts';
import type { StreamEvent } from './event.ts';
import type { Sequences } from './sequence.ts';

/** What the event blocks feed. The event's payload is [event.pos, event.end) when `emit` is called. */
export interface EventSink {
  readonly event: StreamEvent;
  readonly sequences: Sequences;
  readonly nsPerTick: number;
  /** The event's time is set; `thread` is an OS thread id, from version 6 on a thread index. */
  emit(metadataId: number, thread: number): void;
  /** The payload of a metadata event. */
  define(): void;
}

/** Flags of a compressed header. */
const METADATA_ID = 1;
const CAPTURE_THREAD = 2;
const THREAD = 4;
const STACK = 8;
const ACTIVITY = 16;
const RELATED_ACTIVITY = 32;
const PAYLOAD_SIZE = 128;

/**
 * Reads the rows of an event block or (up to version 5) a metadata block in [from, to). Up to `available` of it is there:
 * a cut block gives the rows that are complete.
 *
 * Block: i16 header size, i16 flags (1: compressed row headers), two i64 of time, rows. A compressed header gives only
 * what differs from the row before (perfview NetTraceFormat_v5.md, "Header compression"; NetTraceFormat.md for 6, where
 * label list ids take the place of the two activity ids).
 */
export function readEventBlock(sink: EventSink, version: number, from: number, to: number, available: number): void {
  const { view } = sink.event;
  if (from + 4 > Math.min(to, available)) {
    incomplete(to, available);
    return;
  }
  const rows = from + view.getUint16(from, true);
  const compressed = (view.getUint16(from + 2, true) & 1) !== 0;
  if (rows < from + 4 || rows > to) damaged('an event block begins with a header of impossible size');
  if (compressed) readCompressedRows(sink, version, rows, to, available);
  else readFullRows(sink, version, rows, to, available);
}

/** A row reaches beyond what is there: normal in a cut block, damage in a whole one. */
function incomplete(to: number, available: number): void {
  if (available >= to) damaged('an event reaches beyond its block');
}

function readCompressedRows(sink: EventSink, version: number, from: number, to: number, available: number): void {
  const { event, sequences, nsPerTick } = sink;
  const { bytes } = event;
  const limit = Math.min(to, available);
  let metadataId = 0;
  let sequence = 0;
  let capture = 0;
  let captureRow = -1;
  let thread = 0;
  let payloadSize = 0;
  // Times are a base plus an offset, so that rounding beyond 2^53 happens once and does not add up over the deltas.
  let base = 0;
  let offset = 0;
  event.stackId = 0;
  let at = from;
  while (at < limit) {
    const flags = bytes[at];
    event.pos = at + 1;
    const before = sequence;
    if (flags & METADATA_ID) metadataId = readVarUint32(event);
    if (flags & CAPTURE_THREAD) {
      sequence = (sequence + readVarUint32(event)) >>> 0;
      capture = readVarUint64(event);
      readVarUint32(event);
    }
    const isMetadata = metadataId === 0 && version < 6;
    if (!isMetadata) sequence = (sequence + 1) >>> 0;
    if (flags & THREAD) thread = readVarUint64(event);
    if (flags & STACK) event.stackId = readVarUint32(event);
    const delta = readVarInt64Bits(event);
    if (at === from) base = delta;
    else offset += delta;
    if (version >= 6) {
      if (flags & ACTIVITY) readVarUint32(event);
    } else {
      if (flags & ACTIVITY) event.pos += 16;
      if (flags & RELATED_ACTIVITY) event.pos += 16;
    }
    if (flags & PAYLOAD_SIZE) payloadSize = readVarUint32(event);
    at = event.pos + payloadSize;
    if (at > limit) {
      sequence = before;
      incomplete(to, available);
      break;
    }
    event.end = at;
    if (isMetadata) {
      sink.define();
      continue;
    }
    if (flags & CAPTURE_THREAD) {
      if (captureRow >= 0) sequences.setLast(captureRow, before);
      captureRow = sequences.rowOf(capture);
      sequences.seen(captureRow, sequence);
    }
    event.time = (base + offset) * nsPerTick;
    sink.emit(metadataId, thread);
  }
  if (captureRow >= 0) sequences.setLast(captureRow, sequence);
}

/** Row with a full header: its size without this field, ids, times, up to version 5 two GUIDs, payload; aligned to 4 bytes. */
function readFullRows(sink: EventSink, version: number, from: number, to: number, available: number): void {
  const { event, sequences } = sink;
  const { view } = event;
  const limit = Math.min(to, available);
  const header = version >= 6 ? 52 : 80;
  let at = from;
  while (at < limit) {
    if (at + header > limit) break;
    const next = at + 4 + view.getUint32(at, true);
    const payload = at + header;
    const end = payload + view.getUint32(payload - 4, true);
    if (next > limit || end > limit) break;
    if (end > next) damaged('an event is larger than its row');
    const metadataId = view.getUint32(at + 4, true) & 0x7fff_ffff;
    event.pos = payload;
    event.end = end;
    event.stackId = view.getUint32(at + 32, true);
    if (metadataId === 0 && version < 6) sink.define();
    else {
      sequences.seen(sequences.rowOf(u64At(view, at + 20)), view.getUint32(at + 8, true));
      event.time = i64At(view, at + 36) * sink.nsPerTick;
      sink.emit(metadataId, u64At(view, at + 12));
    }
    at = version >= 6 ? next : next + (-(next - from) & 3);
  }
  if (at < limit) incomplete(to, available);
}

/**
 * Rows of a netperf 3 block (perfview EventSerialization.md): i32 size without this field, i32 metadata id, i32 thread,
 * i64 time, two GUIDs, i32 payload size, payload padded to 4 bytes, i32 stack size, addresses.
 */
export function readNetperfBlock(sink: EventSink, from: number, to: number, available: number): void {
  const { event } = sink;
  const { view } = event;
  const limit = Math.min(to, available);
  const header = 56;
  let at = from;
  while (at < limit) {
    if (at + header + 4 > limit) break;
    const next = at + 4 + view.getUint32(at, true);
    const payload = at + header;
    const size = view.getUint32(payload - 4, true);
    if (next > limit) break;
    if (payload + size + 4 > next) damaged('an event is larger than its row');
    setInlineStack(event, payload, size, next);
    event.pos = payload;
    event.end = payload + size;
    const metadataId = view.getUint32(at + 4, true);
    if (metadataId === 0) sink.define();
    else {
      event.time = i64At(view, at + 12) * sink.nsPerTick;
      sink.emit(metadataId, view.getUint32(at + 8, true));
    }
    at = next + (-(next - from) & 3);
  }
  if (at < limit) incomplete(to, available);
}

/** The stack follows the payload at once or, where the payload's size is not a multiple of 4, after padding. */
function setInlineStack(event: StreamEvent, payload: number, payloadSize: number, next: number): void {
  event.stackFrom = event.stackTo = 0;
  for (const at of [payload + payloadSize, payload + ((payloadSize + 3) & ~3)]) {
    if (at + 4 > next) return;
    const size = event.view.getUint32(at, true);
    const excess = next - (at + 4 + size);
    if (excess < 0 || excess > 3) continue;
    event.stackFrom = at + 4;
    event.stackTo = at + 4 + size;
    return;
  }
}
