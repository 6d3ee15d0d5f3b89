import type { Cursor } from './bytes.ts';

/**
 * Encodings of ReadyToRun images (dotnet/runtime, docs/design/coreclr/botr/readytorun-format.md and
 * src/coreclr/vm/nativeformatreader.h). Reads outside of the bytes throw RangeError.
 */

/** Variable-length unsigned: the count of trailing one bits in the first byte tells the length. */
export function nativeUnsigned(cursor: Cursor): number {
  const { view } = cursor;
  const first = view.getUint8(cursor.at);
  if ((first & 1) === 0) {
    cursor.at += 1;
    return first >>> 1;
  }
  if ((first & 2) === 0) {
    const value = view.getUint16(cursor.at, true) >>> 2;
    cursor.at += 2;
    return value;
  }
  if ((first & 4) === 0) {
    const value = (view.getUint16(cursor.at, true) | (view.getUint8(cursor.at + 2) << 16)) >>> 3;
    cursor.at += 3;
    return value;
  }
  if ((first & 8) === 0) {
    const value = view.getUint32(cursor.at, true) >>> 4;
    cursor.at += 4;
    return value;
  }
  if ((first & 16) !== 0) throw new RangeError('a variable-length number');
  const value = view.getUint32(cursor.at + 1, true);
  cursor.at += 5;
  return value;
}

/** The same bytes read as a signed number. */
function nativeSigned(cursor: Cursor): number {
  const start = cursor.at;
  const value = nativeUnsigned(cursor);
  const bits = Math.min(32, (cursor.at - start) * 7);
  return (value << (32 - bits)) >> (32 - bits);
}

const BLOCK = 16;

/** A sparse array: `find(index)` is the offset of the element's bytes, or -1. */
export interface NativeArray {
  readonly length: number;
  find(index: number): number;
}

export function readNativeArray(view: DataView): NativeArray {
  const cursor: Cursor = { view, at: 0 };
  const header = nativeUnsigned(cursor);
  const length = header >>> 2;
  const width = 1 << (header & 3);
  const base = cursor.at;
  const blockOffset = (block: number): number => {
    const at = base + block * width;
    if (width === 1) return view.getUint8(at);
    return width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  };
  return {
    length,
    find(index) {
      if (index < 0 || index >= length) return -1;
      let at = base + blockOffset(Math.floor(index / BLOCK));
      // Each block is a binary trie over the low four bits of the index.
      for (let bit = BLOCK >> 1; bit > 0; bit >>= 1) {
        cursor.at = at;
        const node = nativeUnsigned(cursor);
        if ((index & bit) !== 0 && (node & 2) !== 0) {
          at += node >>> 2;
        } else if ((index & bit) === 0 && (node & 1) !== 0) {
          at = cursor.at;
        } else {
          // A node without children holds the low bits of the one index below it.
          const isOnlyOne = (node & 3) === 0 && node >>> 2 === (index & (BLOCK - 1));
          return isOnlyOne ? cursor.at : -1;
        }
      }
      return at;
    },
  };
}

/** Offsets of the bytes of all entries of a hash table, in no particular order. */
export function* nativeHashtableEntries(view: DataView): Generator<number> {
  const header = view.getUint8(0);
  const buckets = 2 ** (header >>> 2);
  const width = 1 << (header & 3);
  const base = 1;
  if (width > 4 || buckets * width > view.byteLength) throw new RangeError('a hash table');
  const bucketStart = (bucket: number): number => {
    const at = base + bucket * width;
    if (width === 1) return base + view.getUint8(at);
    return base + (width === 2 ? view.getUint16(at, true) : view.getUint32(at, true));
  };
  const cursor: Cursor = { view, at: 0 };
  for (let bucket = 0; bucket < buckets; bucket++) {
    const end = bucketStart(bucket + 1);
    cursor.at = bucketStart(bucket);
    while (cursor.at < end) {
      cursor.at += 1; // low byte of the hash code
      const place = cursor.at;
      yield place + nativeSigned(cursor);
    }
  }
}

/** Numbers in 4-bit steps, three bits of value each, highest first; the fourth bit says that more follow. */
export function readNibbles(view: DataView, start: number): { next(): number; nextByte(): number } {
  let nibble = start * 2;
  return {
    next() {
      let value = 0;
      for (let digits = 0; ; digits++) {
        if (digits > 11) throw new RangeError('a nibble-coded number');
        const byte = view.getUint8(nibble >> 1);
        const digit = (nibble & 1) === 0 ? byte & 15 : byte >> 4;
        nibble++;
        value = value * 8 + (digit & 7);
        if ((digit & 8) === 0) return value;
      }
    },
    nextByte: () => (nibble + 1) >> 1,
  };
}

/** The number in `count` (at most 32) bits from bit `bit` on, lowest bit first. */
export function readBits(view: DataView, bit: number, count: number): number {
  let value = 0;
  for (let done = 0; done < count; ) {
    const shift = (bit + done) & 7;
    const take = Math.min(8 - shift, count - done);
    const bits = (view.getUint8((bit + done) >> 3) >> shift) & ((1 << take) - 1);
    value += bits * 2 ** done;
    done += take;
  }
  return value;
}
