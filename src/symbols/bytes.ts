import { messageOf, TraceError } from '../trace/errors.ts';

/** Little-endian bytes with checked reads: a `DataView` throws RangeError on any read outside of it. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Runs a reader of a binary file. Offsets in a damaged file point anywhere, so every read outside of the bytes ends
 * here, as one clear line.
 * @throws TraceError instead of RangeError.
 */
export function checkedRead<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TraceError) throw error;
    if (error instanceof RangeError) throw new TraceError(`${what} is damaged (${messageOf(error)})`);
    throw error;
  }
}

const decoder = new TextDecoder();

/** Zero-terminated UTF-8 at `at`, at most to the end of the bytes. */
export function zeroTerminated(bytes: Uint8Array, at: number): string {
  if (at < 0 || at > bytes.length) throw new RangeError(`offset ${at} of ${bytes.length}`);
  const end = bytes.indexOf(0, at);
  return decoder.decode(bytes.subarray(at, end < 0 ? bytes.length : end));
}

export function utf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A place in bytes that moves on with each read; used for the compressed integers of blobs and signatures. */
export interface Cursor {
  readonly view: DataView;
  at: number;
}

/** Compressed unsigned integer of ECMA-335 II.23.2: 1, 2 or 4 bytes. */
export function compressedUnsigned(cursor: Cursor): number {
  const { view } = cursor;
  const first = view.getUint8(cursor.at);
  if ((first & 0x80) === 0) {
    cursor.at += 1;
    return first;
  }
  if ((first & 0x40) === 0) {
    const value = view.getUint16(cursor.at) & 0x3fff;
    cursor.at += 2;
    return value;
  }
  const value = view.getUint32(cursor.at) & 0x1fffffff;
  cursor.at += 4;
  return value;
}

/** Compressed signed integer of ECMA-335 II.23.2: the sign is the lowest bit, rotated in. */
export function compressedSigned(cursor: Cursor): number {
  const first = cursor.view.getUint8(cursor.at);
  const raw = compressedUnsigned(cursor);
  if ((raw & 1) === 0) return raw >> 1;
  const bits = (first & 0x80) === 0 ? 6 : (first & 0x40) === 0 ? 13 : 28;
  return (raw >> 1) - (1 << bits);
}

/** A GUID of 16 bytes in the usual lower-case text form. */
export function guidText(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError('a GUID has 16 bytes');
  const view = viewOf(bytes);
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const tail = Array.from(bytes.subarray(8), (byte) => hex(byte, 2)).join('');
  return `${hex(view.getUint32(0, true), 8)}-${hex(view.getUint16(4, true), 4)}-${hex(view.getUint16(6, true), 4)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
