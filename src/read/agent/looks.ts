import { float64Column, int32Column } from '../../trace/columns.ts';
import { TraceError } from '../../trace/errors.ts';
import { cursorOver, readVarUint32, readVarUint64 } from '../nettrace/bytes.ts';

/**
 * The recorder's looks at the agent's counters: what each site (row of layout_stack) allocated and released between two
 * looks. Looks are numbered from 1; a look's number is the tick with which the agent stamps what it records until the
 * next one. As a part of a trace: 8 bytes "MSLOOKS1", then per look varuint64 its time (ns), varuint32 changed sites, and
 * per site, ascending: varuint32 difference to the site before, varuint64 bytes and count allocated, bytes and count
 * released since the look before.
 */
const MAGIC = 'MSLOOKS1';
/** More would not fit into memory: what is behind counts as cut off. */
const MAX_ROWS = 8_000_000;

/** Rows in the order of the looks, and in a look by site. */
export interface Looks {
  /** Monotonic ns of each look; look n is at index n − 1. */
  readonly time: Float64Array;
  readonly length: number;
  /** There are more than are read. */
  readonly isCut: boolean;
  /** Index of the row's look. */
  readonly look: Int32Array;
  readonly site: Int32Array;
  readonly allocatedBytes: Float64Array;
  readonly allocatedCount: Float64Array;
  readonly freedBytes: Float64Array;
  readonly freedCount: Float64Array;
}

/** What a site's counters grew by. */
export interface SiteGrowth {
  readonly site: number;
  readonly allocatedBytes: number;
  readonly allocatedCount: number;
  readonly freedBytes: number;
  readonly freedCount: number;
}

/** The bytes that stand before the first look. */
export const looksHeader = (): Uint8Array => Buffer.from(MAGIC, 'latin1');

/** One look; `growth` ascends by site. */
export function encodeLook(time: number, growth: readonly SiteGrowth[]): Uint8Array {
  const bytes: number[] = [];
  pushVar(bytes, time);
  pushVar(bytes, growth.length);
  let before = 0;
  for (const { site, allocatedBytes, allocatedCount, freedBytes, freedCount } of growth) {
    pushVar(bytes, site - before);
    before = site;
    for (const value of [allocatedBytes, allocatedCount, freedBytes, freedCount]) pushVar(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function pushVar(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

/**
 * Reads looks; what a cut file has of its last one is left out.
 * @throws TraceError when these are no looks.
 */
export function readLooks(bytes: Uint8Array): Looks {
  if (Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.length)).toString('latin1') !== MAGIC) {
    throw new TraceError('the looks at native counters are damaged');
  }
  const c = cursorOver(bytes, MAGIC.length);
  const times = float64Column();
  const look = int32Column();
  const site = int32Column();
  const columns = [float64Column(), float64Column(), float64Column(), float64Column()];
  let complete = 0;
  while (c.pos < c.end && look.length < MAX_ROWS) {
    const time = readVarUint64(c);
    let row = 0;
    let left = readVarUint32(c);
    for (; left > 0 && c.pos < c.end && look.length < MAX_ROWS; left--) {
      row += readVarUint32(c);
      look.push(times.length);
      site.push(row);
      for (const column of columns) column.push(readVarUint64(c));
    }
    if (left > 0 || c.pos > c.end) break;
    times.push(time);
    complete = look.length;
  }
  const [allocatedBytes, allocatedCount, freedBytes, freedCount] = columns.map((column) =>
    column.finish().subarray(0, complete),
  );
  return {
    time: times.finish(),
    length: complete,
    isCut: look.length >= MAX_ROWS,
    look: look.finish().subarray(0, complete),
    site: site.finish().subarray(0, complete),
    allocatedBytes,
    allocatedCount,
    freedBytes,
    freedCount,
  };
}
