import { type Cursor, readU8, readU16, readU32, readUtf16, readVarString, readVarUint32, skip } from './bytes.ts';
import { handlerOf, summaryHandlerOf } from './clr.ts';
import type { EventDefinition } from './event.ts';

/**
 * Metadata rows: what the events of one id are. The field lists (versions 4 to 6) are not needed: the layouts of the
 * events we read are built in (the runtime's own events carry no field list), and other payloads are skipped by their
 * size, which every event states. So neither nested fields nor arrays nor unknown tags can lead a reader astray.
 */

/**
 * The payload of a metadata event of netperf 3 and nettrace 4 and 5 (perfview NetTraceFormat_v5.md, "Metadata event
 * encoding"): i32 id, provider, i32 event id, name, i64 keywords, i32 version, i32 level, then fields and tags.
 */
export function readMetadataEvent(
  c: Cursor,
  summaryOnly: boolean,
): { metadataId: number; definition: EventDefinition } {
  const metadataId = readU32(c);
  const provider = readUtf16(c);
  const id = readU32(c);
  const name = readUtf16(c);
  skip(c, 8);
  return { metadataId, definition: define(provider, id, readU32(c), name, summaryOnly) };
}

/** Kinds of optional metadata (NetTraceFormat.md, "OptionalMetadata format"). */
const OPCODE = 1;
const KEYWORD = 3;
const MESSAGE_TEMPLATE = 4;
const DESCRIPTION = 5;
const KEY_VALUE = 6;
const PROVIDER_GUID = 7;
const LEVEL = 8;
const VERSION = 9;

/**
 * A row of a metadata block of version 6 (NetTraceFormat.md, "MetadataBlock"): varuint32 id, provider, varuint32 event
 * id, name, field descriptions, optional metadata. The cursor covers the row.
 */
export function readMetadataRow(c: Cursor, summaryOnly: boolean): { metadataId: number; definition: EventDefinition } {
  const metadataId = readVarUint32(c);
  const provider = readVarString(c);
  const id = readVarUint32(c);
  const name = readVarString(c);
  skipFields(c);
  return { metadataId, definition: define(provider, id, readVersion(c), name, summaryOnly) };
}

function skipFields(c: Cursor): void {
  const count = readU16(c);
  for (let i = 0; i < count && c.pos < c.end; i++) skip(c, readU16(c));
}

function readVersion(c: Cursor): number {
  const size = readU16(c);
  const end = Math.min(c.end, c.pos + size);
  while (c.pos < end) {
    const kind = readU8(c);
    if (kind === VERSION) return readU8(c);
    if (kind === OPCODE || kind === LEVEL) skip(c, 1);
    else if (kind === KEYWORD) skip(c, 8);
    else if (kind === PROVIDER_GUID) skip(c, 16);
    else if (kind === MESSAGE_TEMPLATE || kind === DESCRIPTION) skip(c, readVarUint32(c));
    else if (kind === KEY_VALUE) {
      skip(c, readVarUint32(c));
      skip(c, readVarUint32(c));
    } else return 0;
  }
  return 0;
}

function define(provider: string, id: number, version: number, name: string, summaryOnly: boolean): EventDefinition {
  const handler = summaryOnly ? summaryHandlerOf(provider, id, version) : handlerOf(provider, id, version);
  return { provider, id, version, name, handler, count: 0 };
}
