import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, TraceError } from '../../trace/errors.ts';
import { u64At, viewOf } from '../nettrace/bytes.ts';
import { BLOCK, HEADER, HEADER_BYTES, MAP, ROW_BYTES, SECTION_ENTRY_BYTES, SECTIONS, type Section } from './layout.ts';

/** More rows than this are not read of one section: it would not fit into memory. */
const MAX_SECTION_BYTES = 2 ** 31 - 1;

/**
 * The agent's file at `path`, which is mostly holes, as the same file without them: sections close together, free places
 * left out. The process may still be writing.
 * @throws TraceError when it cannot be read.
 */
export function compactAgentFile(path: string): Uint8Array {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new TraceError(`cannot read ${path} (${messageOf(error)})`);
  }
  try {
    return compact((offset, length) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, length === 0 ? 0 : readSync(descriptor, bytes, 0, length, offset));
    });
  } finally {
    closeSync(descriptor);
  }
}

function compact(read: (offset: number, length: number) => Uint8Array): Uint8Array {
  const header = read(0, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return header;
  const view = viewOf(header);
  const parts: Uint8Array[] = [header];
  let at = HEADER_BYTES;
  SECTIONS.forEach((section, i) => {
    const entry = HEADER.sections + i * SECTION_ENTRY_BYTES;
    const claimed = view.getUint32(entry + 20, true) * ROW_BYTES[section];
    const rows = withoutFree(section, read(u64At(view, entry), Math.min(claimed, MAX_SECTION_BYTES)));
    const padded = (rows.length + 7) & ~7;
    view.setUint32(entry, at, true);
    view.setUint32(entry + 4, 0, true);
    view.setUint32(entry + 8, padded, true);
    view.setUint32(entry + 12, 0, true);
    view.setUint32(entry + 20, Math.floor(rows.length / ROW_BYTES[section]), true);
    parts.push(rows, new Uint8Array(padded - rows.length));
    at += padded;
  });
  return Buffer.concat(parts);
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
