import { i64At } from './bytes.ts';
import { damaged } from './damage.ts';
import type { StreamEvent } from './event.ts';
import {
  beginRows,
  createRow,
  type EventRow,
  inlineStack,
  type ReadRow,
  readCompressedRow,
  readCompressedRow6,
  readFullRow,
  readFullRow6,
  readNetperfRow,
} from './rows.ts';
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
  isDefined(metadataId: number): boolean;
  /** Ticks before which no more events can come: the latest sequence point, or −Infinity. */
  readonly earliest: number;
}

/**
 * Reads the rows of an event block or (up to version 5) a metadata block in [from, to). Up to `available` of it is there:
 * a cut block gives the rows that are complete.
 *
 * Block: i16 header size, i16 flags (1: compressed row headers), two i64 of time (of the earliest and the latest row), rows.
 *
 * There is no checksum, so that a block is believed when all that it says twice agrees, and nothing of it is taken before
 * that is known: rows end where the block ends, their times are those of the header and not before the last sequence
 * point, and what they are was defined.
 */
export function readEventBlock(sink: EventSink, version: number, from: number, to: number, available: number): void {
  const { view } = sink.event;
  const isWhole = available >= to;
  if (from + 20 > Math.min(to, available)) {
    if (isWhole) damaged('an event block is too short');
    return;
  }
  const rows = from + view.getUint16(from, true);
  if (rows < from + 20 || rows > to) damaged('an event block begins with a header of impossible size');
  const compressed = (view.getUint16(from + 2, true) & 1) !== 0;
  const readRow =
    version >= 6 ? (compressed ? readCompressedRow6 : readFullRow6) : compressed ? readCompressedRow : readFullRow;
  const found = checkRows(sink, readRow, rows, to, available);
  checkTimes(found, i64At(view, from + 4), i64At(view, from + 12), version < 6 && isWhole);
  if (found.first < sink.earliest - ROUNDING * Math.abs(sink.earliest))
    damaged('an event is older than the sequence point before it');
  emitRows(sink, readRow, rows, found.end, version < 6, isWhole);
}

/** Rows of a netperf 3 block, which has no header. They are in the order of their times, and define metadata on their way. */
export function readNetperfBlock(sink: EventSink, from: number, to: number, available: number): void {
  const { end } = checkRows(sink, readNetperfRow, from, to, available);
  emitRows(sink, readNetperfRow, from, end, true, available >= to);
}

interface Found {
  /** Ticks of the earliest and the latest row. */
  first: number;
  last: number;
  /** End of the last complete row. */
  end: number;
}

const row: EventRow = createRow();

function checkRows(sink: EventSink, readRow: ReadRow, from: number, to: number, available: number): Found {
  const { event } = sink;
  const limit = Math.min(to, available);
  const found: Found = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY, end: from };
  const inOrder = readRow === readNetperfRow;
  const definedHere = new Set<number>();
  let earliest = inOrder ? sink.earliest : Number.NEGATIVE_INFINITY;
  event.end = limit;
  beginRows(row);
  while (found.end < limit) {
    readRow(row, event, found.end);
    if (row.next > limit) {
      // A row reaches beyond what is there: normal in a cut block, damage in a whole one.
      if (available >= to) damaged('an event reaches beyond its block');
      break;
    }
    if (inOrder && row.metadataId === 0) definedHere.add(event.view.getUint32(row.from, true));
    else if (!sink.isDefined(row.metadataId) && !definedHere.has(row.metadataId))
      damaged('an event is of a kind that was not defined');
    const time = row.base + row.offset;
    if (time < earliest && row.metadataId !== 0) damaged('an event is older than the one before it');
    if (inOrder && row.metadataId !== 0) earliest = time;
    if (time < found.first) found.first = time;
    if (time > found.last) found.last = time;
    found.end = row.next;
  }
  return found;
}

/** Times of more than 2^53 ticks are rounded. */
const ROUNDING = 2 ** -51;

function checkTimes(found: Found, first: number, last: number, exactly: boolean): void {
  if (found.last === Number.NEGATIVE_INFINITY) return;
  const off = ROUNDING * Math.abs(last);
  const isWithin = found.first >= first - off && found.last <= last + off;
  const isSame = found.first <= first + off && found.last >= last - off;
  if (!isWithin || (exactly && !isSame)) damaged('the times of a block are not those of its events');
}

/** Hands over the rows in [from, to), which are whole. Gaps are counted where the block `isWhole`: only then it was checked. */
function emitRows(
  sink: EventSink,
  readRow: ReadRow,
  from: number,
  to: number,
  zeroDefines: boolean,
  isWhole: boolean,
): void {
  const { event, sequences, nsPerTick } = sink;
  const isNetperf = readRow === readNetperfRow;
  // The numbers of a run of rows of one thread go up by one: only its ends are looked up.
  let captureRow = -1;
  beginRows(row);
  for (let at = from; at < to; at = row.next) {
    const before = row.sequence;
    event.end = to;
    readRow(row, event, at);
    event.pos = row.from;
    event.end = row.to;
    if (row.metadataId === 0 && zeroDefines) {
      sink.define();
      continue;
    }
    event.stackId = row.stackId;
    event.time = (row.base + row.offset) * nsPerTick;
    if (row.isCaptured && isWhole) {
      if (captureRow >= 0) sequences.setLast(captureRow, before);
      captureRow = sequences.rowOf(row.capture);
      sequences.seen(captureRow, row.sequence, event.time);
    }
    if (isNetperf) [event.stackFrom, event.stackTo] = inlineStack(event, row);
    sink.emit(row.metadataId, row.thread);
  }
  if (captureRow >= 0) sequences.setLast(captureRow, row.sequence);
}
