import { closeSync, fstatSync, readSync } from 'node:fs';
import { messageOf, TraceError } from '../../trace/errors.ts';
import { openRegular } from '../../trace/regular-file.ts';
import { u64At, viewOf } from '../nettrace/bytes.ts';
import { BLOCK, HEADER, HEADER_BYTES, MAP, ROW_BYTES, SECTION_ENTRY_BYTES, SECTIONS, type Section } from './layout.ts';

/** More is not made of a file. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
/** Only these sections have holes in them: tables of places. More is not read of one: a file may claim any number of rows. */
const MAX_BYTES: Partial<Record<Section, number>> = { blocks: MAX_FILE_BYTES, maps: 256 << 20 };
const BLOCK_BYTES = 512;
/** File systems that compress (ZFS, btrfs) count what is left of the bytes: rows shrink to a quarter, hardly to an eighth. */
const MOST_COMPRESSED = 8;
/** What the file system may not have found a place for yet. */
const UNWRITTEN_BYTES = 64 << 20;
/** Read at a time; a multiple of every row's size. */
const PIECE_BYTES = 960 * 4096;
const HOLE = Buffer.alloc(PIECE_BYTES);

/**
 * The agent's file at `path`, which is mostly holes, as the same file without them: sections close together, free places
 * left out, at most `most` bytes. The process may still be writing.
 * @throws TraceError when it cannot be read.
 */
export function compactAgentFile(path: string, most = MAX_FILE_BYTES): Uint8Array {
  let descriptor: number;
  try {
    ({ descriptor } = openRegular(path));
  } catch (error) {
    throw new TraceError(`cannot read ${path} (${messageOf(error)})`);
  }
  try {
    return compactOpenAgentFile(descriptor, most);
  } finally {
    closeSync(descriptor);
  }
}

/** The same of a file that is open as `descriptor` and stays so. */
export function compactOpenAgentFile(descriptor: number, most = MAX_FILE_BYTES): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  if (readSync(descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return new Uint8Array(0);
  // After the header: the file has grown before it says that it has more rows.
  const { size, blocks } = fstatSync(descriptor);
  const piece = new Uint8Array(PIECE_BYTES);
  return compact(
    header,
    (offset, length) => {
      const there = Math.max(0, Math.min(length, size - offset));
      return piece.subarray(0, there === 0 ? 0 : readSync(descriptor, piece, 0, there, offset));
    },
    // More than the file has on the disk are holes.
    Math.min(most, blocks * BLOCK_BYTES * MOST_COMPRESSED + UNWRITTEN_BYTES),
  );
}

/** Bytes of the file, fewer at its end; the next call may use the same memory. */
type Read = (offset: number, length: number) => Uint8Array;

function compact(header: Uint8Array, read: Read, most: number): Uint8Array {
  const view = viewOf(header);
  const parts: Uint8Array[] = [header];
  let at = HEADER_BYTES;
  SECTIONS.forEach((section, i) => {
    const entry = HEADER.sections + i * SECTION_ENTRY_BYTES;
    const claimed = view.getUint32(entry + 20, true) * ROW_BYTES[section];
    const there = Math.min(claimed, MAX_BYTES[section] ?? most);
    const { pieces: rows, isCut } = usedRows(section, read, u64At(view, entry), there, most - at);
    if (isCut || there < claimed) view.setUint32(HEADER.isCut, 1, true);
    const length = rows.reduce((sum, piece) => sum + piece.length, 0);
    const padded = (length + 7) & ~7;
    view.setUint32(entry, at, true);
    view.setUint32(entry + 4, 0, true);
    view.setUint32(entry + 8, padded, true);
    view.setUint32(entry + 12, 0, true);
    view.setUint32(entry + 20, Math.floor(length / ROW_BYTES[section]), true);
    parts.push(...rows, new Uint8Array(padded - length));
    at += padded;
  });
  return Buffer.concat(parts);
}

/** The rows of a section that hold something, in pieces; cut: not all are there, or fit into `room` bytes. */
function usedRows(section: Section, read: Read, from: number, claimed: number, room: number) {
  const pieces: Uint8Array[] = [];
  let isCut = false;
  let left = Math.max(0, room);
  for (let done = 0; done < claimed && !isCut; done += PIECE_BYTES) {
    const wanted = Math.min(PIECE_BYTES, claimed - done);
    const piece = read(from + done, wanted);
    isCut = piece.length < wanted;
    if (section in MAX_BYTES && HOLE.equals(piece)) continue;
    const used = withoutFree(section, piece);
    const kept = used.slice(0, left - (left % ROW_BYTES[section]));
    if (kept.length > 0) pieces.push(kept);
    isCut ||= kept.length < used.length;
    left -= kept.length;
  }
  return { pieces, isCut };
}

/** Places of the live tables that hold nothing. */
function withoutFree(section: Section, bytes: Uint8Array): Uint8Array {
  const field = { blocks: BLOCK.address, maps: MAP.length }[section as 'blocks' | 'maps'];
  if (field === undefined) return bytes;
  const view = viewOf(bytes);
  const size = ROW_BYTES[section];
  let kept = 0;
  for (let at = 0; at + size <= bytes.length; at += size) {
    if (view.getUint32(at + field, true) === 0 && view.getUint32(at + field + 4, true) === 0) continue;
    bytes.copyWithin(kept, at, at + size);
    kept += size;
  }
  return bytes.subarray(0, kept);
}
