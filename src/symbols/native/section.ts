import { utf8 } from '../bytes.ts';
import type { ImageFile } from '../images.ts';

/**
 * The bytes of one section, read piece by piece. Every read outside of it is a RangeError, so that an offset in a
 * damaged file ends where it points and not in another section.
 */
export interface SectionData {
  /** Bytes. */
  readonly size: number;
  /** All `length` bytes from `offset`. Not to be kept for long: it may hold a whole page in memory. */
  read(offset: number, length: number): Uint8Array;
  /** Zero-terminated UTF-8. */
  text(offset: number): string;
}

const PAGE_BYTES = 64 * 1024;
/** Pages kept per section: neighbours are asked for together, but .debug_str is hit all over. */
const MAX_PAGES = 64;
const MAX_TEXT_BYTES = 256 * 1024;

/** A section whose bytes lie in the file as they are, at `start`. */
export function fileSection(file: ImageFile, start: number, size: number): SectionData {
  const pages = new Map<number, Uint8Array>();
  const available = Math.max(0, Math.min(size, file.size - start));

  const page = (number: number): Uint8Array => {
    let bytes = pages.get(number);
    if (bytes === undefined) {
      if (pages.size >= MAX_PAGES) pages.delete(pages.keys().next().value!);
      const offset = number * PAGE_BYTES;
      bytes = file.read(start + offset, Math.min(PAGE_BYTES, available - offset));
      pages.set(number, bytes);
    }
    return bytes;
  };
  return sectionData(available, (offset, length) => {
    const number = Math.floor(offset / PAGE_BYTES);
    const within = offset - number * PAGE_BYTES;
    if (within + length > PAGE_BYTES) return file.read(start + offset, length);
    return page(number).subarray(within, within + length);
  });
}

/** A section that had to be unpacked; `unpack` is called when it is read for the first time. */
export function unpackedSection(size: number, unpack: () => Uint8Array): SectionData {
  let bytes: Uint8Array | undefined;
  return sectionData(size, (offset, length) => {
    bytes ??= unpack();
    return bytes.subarray(offset, offset + length);
  });
}

function sectionData(size: number, bytesAt: (offset: number, length: number) => Uint8Array): SectionData {
  const read = (offset: number, length: number): Uint8Array => {
    if (!(offset >= 0 && length >= 0 && offset + length <= size))
      throw new RangeError(`${offset}+${length} of ${size}`);
    const bytes = bytesAt(offset, length);
    if (bytes.length !== length) throw new RangeError(`${offset}+${length}: the file ends before`);
    return bytes;
  };
  return {
    size,
    read,
    text(offset) {
      if (!(offset >= 0 && offset < size)) throw new RangeError(`text at ${offset} of ${size}`);
      for (let length = 256; ; length *= 8) {
        const piece = read(offset, Math.min(length, size - offset));
        const end = piece.indexOf(0);
        if (end >= 0) return utf8(piece.subarray(0, end));
        if (piece.length < length || length > MAX_TEXT_BYTES) throw new RangeError(`text at ${offset} has no end`);
      }
    },
  };
}

/**
 * Parses something of unknown length at `offset`: `parse` gets the first bytes of it, and more of them when it ran out.
 * @throws RangeError when it does not end within the section or within `limit` bytes.
 */
export function parseAt<T>(
  section: SectionData,
  offset: number,
  parse: (bytes: Uint8Array) => T,
  limit = 64 * 1024 * 1024,
): T {
  const available = section.size - offset;
  for (let length = 512; ; length *= 8) {
    const bytes = section.read(offset, Math.max(0, Math.min(length, available, limit)));
    try {
      return parse(bytes);
    } catch (error) {
      if (!(error instanceof RangeError) || bytes.length < length) throw error;
    }
  }
}
