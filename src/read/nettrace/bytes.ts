/**
 * Reading little-endian values through one reused cursor. Nothing here throws on short input: past the end of the
 * array a byte reads as 0 and a string ends, and the caller compares `pos` with `end` once per row instead of once per
 * byte.
 */
export interface Cursor {
  bytes: Uint8Array;
  view: DataView;
  pos: number;
  end: number;
}

const NO_BYTES = new Uint8Array(0);

export function cursorOver(bytes: Uint8Array = NO_BYTES, pos = 0, end: number = bytes.length): Cursor {
  return { bytes, view: viewOf(bytes), pos, end };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function readU8(c: Cursor): number {
  return has(c, 1) ? c.bytes[c.pos++] : 0;
}

export function readU16(c: Cursor): number {
  if (!has(c, 2)) return 0;
  c.pos += 2;
  return c.view.getUint16(c.pos - 2, true);
}

export function readU32(c: Cursor): number {
  if (!has(c, 4)) return 0;
  c.pos += 4;
  return c.view.getUint32(c.pos - 4, true);
}

/** An unsigned 64-bit value as a double: exact below 2^53. */
export function readU64(c: Cursor): number {
  if (!has(c, 8)) return 0;
  c.pos += 8;
  return u64At(c.view, c.pos - 8);
}

/** A pointer of the traced process. */
export function readPointer(c: Cursor, pointerSize: number): number {
  return pointerSize === 8 ? readU64(c) : readU32(c);
}

/** Moves on by `count` bytes, at most to the end. */
export function skip(c: Cursor, count: number): void {
  c.pos = Math.min(c.end, c.pos + count);
}

/** True when `count` bytes are left; otherwise the cursor goes to its end, so that what follows reads as empty too. */
function has(c: Cursor, count: number): boolean {
  if (c.pos + count <= c.end) return true;
  c.pos = c.end;
  return false;
}

export function u64At(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

/** Like u64At for a signed value. */
export function i64At(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getInt32(at + 4, true) * 0x1_0000_0000;
}

/** A varuint32 of at most 5 bytes (seven bits each, least significant first). */
export function readVarUint32(c: Cursor): number {
  const { bytes } = c;
  let byte = bytes[c.pos++];
  if (byte < 0x80) return byte;
  let value = byte & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    byte = bytes[c.pos++];
    value |= (byte & 0x7f) << shift;
    if (!(byte & 0x80)) break;
  }
  return value >>> 0;
}

/**
 * A varuint64 that holds 64 bits of two's complement, as a signed double. The time deltas of events are such values and
 * can be negative. Decoded in parts of 28, 28 and 8 bits: a plain sum of doubles would make 1.8e19 of −1.
 */
export function readVarInt64Bits(c: Cursor): number {
  const { bytes } = c;
  let byte = bytes[c.pos++];
  if (byte < 0x80) return byte;
  let low = byte & 0x7f;
  let middle = 0;
  let high = 0;
  for (let shift = 7; shift < 70; shift += 7) {
    byte = bytes[c.pos++];
    if (shift < 28) low |= (byte & 0x7f) << shift;
    else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28);
    else high |= (byte & 0x7f) << (shift - 56);
    if (!(byte & 0x80)) break;
  }
  const signed = (high << 24) >> 24;
  return (signed * 0x1000_0000 + middle) * 0x1000_0000 + low;
}

/** A varuint64 as an unsigned double. */
export function readVarUint64(c: Cursor): number {
  const value = readVarInt64Bits(c);
  return value < 0 ? value + 2 ** 64 : value;
}

/** UTF-16 text up to its terminating zero or the end; moves past the terminator. */
export function readUtf16(c: Cursor): string {
  const start = c.pos;
  skipUtf16(c);
  const terminated = c.pos - start >= 2 && c.bytes[c.pos - 2] === 0 && c.bytes[c.pos - 1] === 0;
  return utf16(c.bytes, start, terminated ? c.pos - 2 : c.pos);
}

/** True when the text at the cursor, with its terminator, is `text`; then the cursor moves past it. */
export function takeUtf16(c: Cursor, text: string): boolean {
  const end = c.pos + 2 * text.length + 2;
  if (end > c.end || c.view.getUint16(end - 2, true) !== 0) return false;
  for (let i = 0; i < text.length; i++) if (c.view.getUint16(c.pos + 2 * i, true) !== text.charCodeAt(i)) return false;
  c.pos = end;
  return true;
}

export function skipUtf16(c: Cursor): void {
  const { bytes, end } = c;
  let at = c.pos;
  while (at + 2 <= end && (bytes[at] !== 0 || bytes[at + 1] !== 0)) at += 2;
  c.pos = Math.min(end, at + 2);
}

/** UTF-16 text between two offsets. */
export function utf16(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, (to - from) & ~1).toString('utf16le');
}

/** UTF-8 text with a varuint32 length in front (version 6). */
export function readVarString(c: Cursor): string {
  const length = readVarUint32(c);
  const from = Math.min(c.pos, c.end);
  c.pos = Math.min(c.end, from + length);
  return utf8(c.bytes, from, c.pos);
}

export function utf8(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}

/** A GUID in its usual text form, or '' for the all-zero one. */
export function readGuid(c: Cursor): string {
  const from = c.pos;
  skip(c, 16);
  if (c.pos - from < 16 || c.bytes.subarray(from, c.pos).every((byte) => byte === 0)) return '';
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const { view } = c;
  const tail = Array.from(c.bytes.subarray(from + 8, from + 16), (byte) => hex(byte, 2)).join('');
  return [
    hex(view.getUint32(from, true), 8),
    hex(view.getUint16(from + 4, true), 4),
    hex(view.getUint16(from + 6, true), 4),
    tail.slice(0, 4),
    tail.slice(4),
  ].join('-');
}
