import { type Cursor, i64At, readVarInt64Bits, readVarUint32, readVarUint64, u64At } from './bytes.ts';
import { damaged } from './damage.ts';

/**
 * The header of one event row, decoded into one object that is used again: an event costs no garbage. The payload is
 * [from, to), the next row begins at `next`.
 */
export interface EventRow {
  metadataId: number;
  /** Thread that logged the event, and the number it gave to it; `isCaptured` where the row states them anew. */
  capture: number;
  sequence: number;
  isCaptured: boolean;
  /** Thread that the event is about. */
  thread: number;
  stackId: number;
  /** Ticks, as a base plus an offset: beyond 2^53 rounding happens once and does not add up over the deltas. */
  base: number;
  offset: number;
  from: number;
  to: number;
  next: number;
  /** End of what a netperf row states as its size, before padding. */
  end: number;
  payloadSize: number;
  isFirst: boolean;
}

/** Decodes the row at `at`. What is behind the end of the bytes reads as 0: the caller compares `next` with the end. */
export type ReadRow = (row: EventRow, c: Cursor, at: number) => void;

export function createRow(): EventRow {
  return {
    metadataId: 0,
    capture: 0,
    sequence: 0,
    isCaptured: false,
    thread: 0,
    stackId: 0,
    base: 0,
    offset: 0,
    from: 0,
    to: 0,
    next: 0,
    end: 0,
    payloadSize: 0,
    isFirst: true,
  };
}

/** The state in which a block begins: every field is 0. */
export function beginRows(row: EventRow): void {
  row.metadataId = row.capture = row.sequence = row.thread = row.stackId = row.payloadSize = 0;
  row.base = row.offset = 0;
  row.isFirst = true;
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
 * A compressed header gives only what differs from the row before (perfview NetTraceFormat_v5.md, "Header compression";
 * NetTraceFormat.md for 6, where label list ids take the place of the two activity ids).
 */
export const readCompressedRow = (row: EventRow, c: Cursor, at: number): void => compressedRow(row, c, at, false);
export const readCompressedRow6 = (row: EventRow, c: Cursor, at: number): void => compressedRow(row, c, at, true);

function compressedRow(row: EventRow, c: Cursor, at: number, is6: boolean): void {
  const flags = c.bytes[at];
  c.pos = at + 1;
  if (flags & METADATA_ID) row.metadataId = readVarUint32(c);
  row.isCaptured = (flags & CAPTURE_THREAD) !== 0;
  if (row.isCaptured) {
    row.sequence = (row.sequence + readVarUint32(c)) >>> 0;
    row.capture = readVarUint64(c);
    readVarUint32(c);
  }
  // Rows that define metadata have no numbers.
  if (row.metadataId !== 0 || is6) row.sequence = (row.sequence + 1) >>> 0;
  if (flags & THREAD) row.thread = readVarUint64(c);
  if (flags & STACK) row.stackId = readVarUint32(c);
  const delta = readVarInt64Bits(c);
  if (row.isFirst) row.base = delta;
  else row.offset += delta;
  row.isFirst = false;
  if (is6) {
    if (flags & ACTIVITY) readVarUint32(c);
  } else {
    if (flags & ACTIVITY) c.pos += 16;
    if (flags & RELATED_ACTIVITY) c.pos += 16;
  }
  if (flags & PAYLOAD_SIZE) row.payloadSize = readVarUint32(c);
  row.from = c.pos;
  row.to = row.next = c.pos + row.payloadSize;
}

/** Row with a full header: its size without this field, ids, times, up to version 5 two GUIDs, payload; aligned to 4 bytes. */
export const readFullRow = (row: EventRow, c: Cursor, at: number): void => fullRow(row, c, at, 80);
export const readFullRow6 = (row: EventRow, c: Cursor, at: number): void => fullRow(row, c, at, 52);

function fullRow(row: EventRow, { view, end }: Cursor, at: number, headerBytes: number): void {
  row.from = at + headerBytes;
  if (row.from > end) {
    beyond(row);
    return;
  }
  const size = 4 + view.getUint32(at, true);
  row.metadataId = view.getUint32(at + 4, true) & 0x7fff_ffff;
  row.sequence = view.getUint32(at + 8, true);
  row.thread = u64At(view, at + 12);
  row.capture = u64At(view, at + 20);
  row.isCaptured = true;
  row.stackId = view.getUint32(at + 32, true);
  row.base = i64At(view, at + 36);
  row.to = row.from + view.getUint32(row.from - 4, true);
  row.next = at + (headerBytes === 80 ? (size + 3) & ~3 : size);
  if (row.to > at + size) damaged('an event is larger than its row');
}

/**
 * Row of a netperf 3 block (perfview EventSerialization.md): i32 size without this field, i32 metadata id, i32 thread,
 * i64 time, two GUIDs, i32 payload size, payload padded to 4 bytes, i32 stack size, addresses.
 */
export function readNetperfRow(row: EventRow, { view, end }: Cursor, at: number): void {
  row.from = at + 56;
  if (row.from + 4 > end) {
    beyond(row);
    return;
  }
  const size = 4 + view.getUint32(at, true);
  row.metadataId = view.getUint32(at + 4, true);
  row.thread = view.getUint32(at + 8, true);
  row.isCaptured = false;
  row.base = i64At(view, at + 12);
  row.to = row.from + view.getUint32(row.from - 4, true);
  row.end = at + size;
  row.next = at + ((size + 3) & ~3);
  if (row.to + 4 > at + size) damaged('an event is larger than its row');
}

function beyond(row: EventRow): void {
  row.to = row.next = Number.POSITIVE_INFINITY;
}

/** Offsets of the addresses that a netperf row holds behind its payload: at once, or after padding to 4 bytes. */
export function inlineStack({ view }: Cursor, { from, to, end }: EventRow): readonly [number, number] {
  for (const at of [to, from + ((to - from + 3) & ~3)]) {
    if (at + 4 > end) break;
    const size = view.getUint32(at, true);
    const excess = end - (at + 4 + size);
    if (excess >= 0 && excess <= 3) return [at + 4, at + 4 + size];
  }
  return [0, 0];
}
