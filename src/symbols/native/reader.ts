import { utf8, viewOf } from '../bytes.ts';

/** Little-endian values one after the other. A read beyond the bytes is a RangeError. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.at = at;
  }

  u8(): number {
    return this.view.getUint8(this.at++);
  }

  u16(): number {
    const value = this.view.getUint16(this.at, true);
    this.at += 2;
    return value;
  }

  u24(): number {
    return this.u16() + this.u8() * 0x10000;
  }

  u32(): number {
    const value = this.view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  /** As a double: exact below 2^53, which addresses and offsets are. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 0x1_0000_0000;
  }

  /** An unsigned value of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): number {
    if (size === 8) return this.u64();
    if (size === 4) return this.u32();
    if (size === 2) return this.u16();
    if (size === 1) return this.u8();
    throw new RangeError(`a value of ${size} bytes`);
  }

  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  sleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
  }

  /** Zero-terminated UTF-8. */
  text(): string {
    const start = this.at;
    this.skipText();
    return utf8(this.bytes.subarray(start, this.at - 1));
  }

  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new RangeError('text without an end');
    this.at = end + 1;
  }

  skip(length: number): void {
    const next = this.at + length;
    if (!(length >= 0 && next <= this.bytes.length)) throw new RangeError(`skip of ${length}`);
    this.at = next;
  }
}
