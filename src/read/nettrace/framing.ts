import { TraceError } from '../../trace/errors.ts';
import { type Cursor, utf8 } from './bytes.ts';
import { damaged } from './damage.ts';

/**
 * The three containers cut into units, without looking inside them. Sources: perfview src/TraceEvent/EventPipe,
 * NetPerfFormat.md (netperf 3), NetTraceFormat_v5.md (nettrace 4 and 5) and NetTraceFormat.md (nettrace 6).
 */

/** A larger block is damage, not data: the runtime's blocks are about 100 KiB. */
export const MAX_BLOCK_BYTES = 64 * 2 ** 20;

export type Container = 'netperf' | 'objects' | 'blocks';

type UnitKind =
  | 'end'
  | 'trace'
  | 'events'
  | 'metadata'
  | 'stacks'
  | 'sequence-point'
  | 'threads'
  | 'remove-threads'
  | 'other';

/** One unit of the stream as offsets into the cursor's bytes; the body lies in [from, to), the next unit at `next`. */
export interface Unit {
  kind: UnitKind;
  version: number;
  from: number;
  to: number;
  next: number;
}

const MAGIC = 'Nettrace';
const SERIALIZATION = '!FastSerialization.1';

/**
 * Recognises the stream's first bytes.
 * @returns container and length of the header, or undefined when more bytes are needed
 * @throws TraceError when they are something else, or a version that is not read here
 */
export function readMagic(c: Cursor): { container: Container; length: number } | undefined {
  const available = c.end - c.pos;
  const text = (at: number, length: number) => utf8(c.bytes, c.pos + at, Math.min(c.end, c.pos + at + length));
  if (!MAGIC.startsWith(text(0, 8))) {
    if (available < 24) return isPrefix(c, 0) ? undefined : foreign();
    return isSerialization(c, 0) ? { container: 'netperf', length: 24 } : foreign();
  }
  if (available < 12) return undefined;
  if (c.view.getUint32(c.pos + 8, true) === 0) {
    if (available < 20) return undefined;
    const major = c.view.getUint32(c.pos + 12, true);
    if (major !== 6) refuseVersion(major);
    return { container: 'blocks', length: 20 };
  }
  if (available < 32) return isPrefix(c, 8) ? undefined : foreign();
  return isSerialization(c, 8) ? { container: 'objects', length: 32 } : foreign();
}

function isSerialization(c: Cursor, at: number): boolean {
  return isPrefix(c, at) && c.end - c.pos >= at + 24;
}

/** True when the bytes from `at` on begin the length-prefixed text of the serialization library, as far as they go. */
function isPrefix(c: Cursor, at: number): boolean {
  const expected = [SERIALIZATION.length, 0, 0, 0, ...Buffer.from(SERIALIZATION)];
  return expected.every((byte, i) => c.pos + at + i >= c.end || c.bytes[c.pos + at + i] === byte);
}

function foreign(): never {
  throw new TraceError('this is not a .nettrace or .netperf stream: record one with memsurge or dotnet-trace.');
}

function refuseVersion(version: number): never {
  throw new TraceError(
    `this is version ${version} of nettrace, memsurge reads 4 to 6: use a newer memsurge or record it again.`,
  );
}

/**
 * Finds the unit at the cursor, whose first byte is byte `offset` of the stream.
 * @returns 'whole' when all of it is there, 'part' when `unit` is known but incomplete, 'unknown' when even its header is
 * @throws DamagedStream when there is no unit here
 */
export function readUnit(container: Container, c: Cursor, offset: number, unit: Unit): 'whole' | 'part' | 'unknown' {
  const known = container === 'blocks' ? readBlock(c, unit) : readObject(container, c, offset, unit);
  if (!known) return 'unknown';
  return unit.next <= c.end ? 'whole' : 'part';
}

const BLOCK_KINDS: readonly UnitKind[] = [
  'end',
  'trace',
  'events',
  'metadata',
  'sequence-point',
  'stacks',
  'threads',
  'remove-threads',
];

/** Version 6: u24 size, u8 kind. */
function readBlock(c: Cursor, unit: Unit): boolean {
  if (c.end - c.pos < 4) return false;
  const header = c.view.getUint32(c.pos, true);
  unit.kind = BLOCK_KINDS[header >>> 24] ?? 'other';
  unit.version = 6;
  unit.from = c.pos + 4;
  unit.to = unit.next = unit.from + (header & 0xffffff);
  return true;
}

const NULL_REFERENCE = 1;
const BEGIN_OBJECT = 4;
const BEGIN_PRIVATE_OBJECT = 5;
const END_OBJECT = 6;

const OBJECT_KINDS: ReadonlyMap<string, UnitKind> = new Map([
  ['Trace', 'trace'],
  ['EventBlock', 'events'],
  ['MetadataBlock', 'metadata'],
  ['StackBlock', 'stacks'],
  ['SPBlock', 'sequence-point'],
]);
/** Date (8 × i16), i64 time, i64 frequency, i32 pointer size, process id, processors, sampling rate. */
const TRACE_BYTES = 48;

/** Up to version 5: tag, type object (tag, null tag, i32 version, i32 minimum reader, i32 length, name, end tag), body, end tag. */
function readObject(container: Container, c: Cursor, offset: number, unit: Unit): boolean {
  const { bytes, view } = c;
  const start = c.pos;
  if (start >= c.end) return false;
  if (bytes[start] === NULL_REFERENCE) {
    unit.kind = 'end';
    unit.from = unit.to = unit.next = start + 1;
    return true;
  }
  if (!isBegin(bytes[start])) damaged('no object begins here');
  const nameAt = start + 15;
  if (nameAt > c.end) return false;
  const nameLength = view.getUint32(start + 11, true);
  if (!isBegin(bytes[start + 1]) || bytes[start + 2] !== NULL_REFERENCE || nameLength > 256) damaged('no type here');
  const body = nameAt + nameLength + 1;
  if (body > c.end) return false;
  if (bytes[body - 1] !== END_OBJECT) damaged('a type has no end');
  const name = utf8(bytes, nameAt, nameAt + nameLength);
  unit.version = view.getUint32(start + 3, true);
  unit.kind = OBJECT_KINDS.get(name) ?? 'other';
  if (unit.kind === 'other' && isMisspelt(name)) damaged('the name of a block is damaged');
  if (unit.kind === 'trace') {
    checkVersion(container, unit.version);
    unit.from = body;
    unit.to = body + TRACE_BYTES;
  } else {
    if (offset <= 32) refuseFirstObject(name, unit.version);
    if (body + 4 > c.end) return false;
    const size = view.getUint32(body, true);
    if (size > MAX_BLOCK_BYTES) damaged(`a block claims ${size} bytes`);
    // Block contents are aligned to 4 bytes of the stream.
    const padding = -(offset + body + 4 - start) & 3;
    unit.from = body + 4 + padding;
    unit.to = unit.from + size;
  }
  unit.next = unit.to + 1;
  if (unit.next <= c.end && bytes[unit.to] !== END_OBJECT) damaged('a block does not end where it says');
  return true;
}

/** A block of a kind that is new would not be called almost like one that is known. */
function isMisspelt(name: string): boolean {
  const differences = (known: string) => [...known].filter((character, i) => character !== name[i]).length;
  return [...OBJECT_KINDS.keys()].some((known) => known.length === name.length && differences(known) <= 2);
}

function isBegin(tag: number): boolean {
  return tag === BEGIN_PRIVATE_OBJECT || tag === BEGIN_OBJECT;
}

function checkVersion(container: Container, version: number): void {
  if (container === 'objects' && version !== 4 && version !== 5) refuseVersion(version);
  if (container === 'netperf' && version !== 3) refuseNetperf(version);
}

function refuseNetperf(version: number): never {
  throw new TraceError(
    `this is version ${version} of netperf, memsurge reads 3: record it again on .NET Core 2.1 or later.`,
  );
}

/** The stream does not begin with the object that describes it. */
function refuseFirstObject(name: string, version: number): never {
  if (name === 'Microsoft.DotNet.Runtime.EventPipeFile') refuseNetperf(version);
  throw new TraceError(`this file holds "${name}" and not a trace: open a .nettrace or .netperf file.`);
}
