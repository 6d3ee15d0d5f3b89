import { inflateRawSync } from 'node:zlib';
import { TraceError } from '../trace/errors.ts';
import { type Cursor, checkedRead, compressedSigned, compressedUnsigned, guidText, utf8, viewOf } from './bytes.ts';
import { type MetadataTables, readTables, TABLE } from './metadata-tables.ts';

/** Where IL offsets of a method lie in the source. One row per sequence point, ascending by IL offset. */
export interface SequencePoints {
  readonly il: Int32Array;
  /** First line, 1-based; 0 for a hidden point: code without a line of its own. */
  readonly line: Int32Array;
  readonly endLine: Int32Array;
  /** Row of the document, from 1. */
  readonly document: Int32Array;
}

/** A portable PDB. Rows of methods are those of the image's MethodDef table. */
export interface Pdb {
  /** GUID part of its id, which the image's CodeView entry states too. */
  readonly guid: string;
  /** Undefined when the method has no source, as compiler-generated ones. */
  sequencePoints(method: number): SequencePoints | undefined;
  /** The method a state machine's MoveNext was made from; undefined for all others. */
  kickoffMethod(method: number): number | undefined;
  documentPath(document: number): string;
  /** Checksum of the file that was compiled, as `algorithm:hex`; empty when the PDB states none that is known. */
  checksum(document: number): string;
  /** Source text that the compiler embedded; undefined without. */
  embeddedSource(document: number): string | undefined;
}

/** Unpacked sizes beyond these are damage, not symbols. */
const MAX_PDB_BYTES = 512 * 1024 * 1024;
const MAX_SOURCE_BYTES = 16 * 1024 * 1024;

const EMBEDDED_SOURCE = '0e8a571b-6926-466e-b4ad-8ab04611f5fe';
const DOCUMENT_TAG = 22;

/**
 * Unpacks the portable PDB that lies in an image's debug directory: "MPDB", size, deflated bytes (dotnet/runtime,
 * docs/design/specs/PE-COFF.md).
 * @throws TraceError when it is damaged.
 */
export function unpackEmbeddedPdb(data: Uint8Array, path: string): Uint8Array {
  return checkedRead(path, () => {
    const view = viewOf(data);
    const size = view.getUint32(4, true);
    if (view.getUint32(0, true) !== 0x4244504d || size > MAX_PDB_BYTES) throw new RangeError('embedded PDB');
    return inflate(data.subarray(8), size, `${path} (embedded PDB)`);
  });
}

function inflate(data: Uint8Array, size: number, what: string): Uint8Array {
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(1, size) });
  } catch {
    throw new TraceError(`${what} is damaged`);
  }
}

/**
 * Reads a portable PDB (dotnet/runtime, docs/design/specs/PortablePdb-Metadata.md).
 * @throws TraceError when the bytes are something else (a Windows PDB, for example) or are damaged.
 */
export function readPdb(bytes: Uint8Array, path: string): Pdb {
  return checkedRead(path, () => {
    if (bytes.length < 4 || viewOf(bytes).getUint32(0, true) !== 0x424a5342) {
      throw new TraceError(`${path} is not a portable PDB; build with <DebugType>portable</DebugType>`);
    }
    const tables = readTables(bytes, path);
    const header = tables.stream('#Pdb');
    if (header === undefined) throw new TraceError(`${path} is not a portable PDB`);
    const kickoffs = new Map<number, number>();
    for (let row = 1; row <= tables.rows(TABLE.stateMachineMethod); row++) {
      kickoffs.set(tables.cell(TABLE.stateMachineMethod, row, 0), tables.cell(TABLE.stateMachineMethod, row, 1));
    }
    return {
      guid: guidText(header.subarray(0, 16)),
      sequencePoints: (method) => checkedRead(path, () => readSequencePoints(tables, method)),
      kickoffMethod: (method) => kickoffs.get(method),
      documentPath: (document) => checkedRead(path, () => readDocumentName(tables, document)),
      checksum: (document) => checkedRead(path, () => readChecksum(tables, document)),
      embeddedSource: (document) => checkedRead(path, () => readEmbeddedSource(tables, document, path)),
    };
  });
}

function readSequencePoints(tables: MetadataTables, method: number): SequencePoints | undefined {
  if (method < 1 || method > tables.rows(TABLE.methodDebugInformation)) return undefined;
  let document = tables.cell(TABLE.methodDebugInformation, method, 0);
  const blob = tables.cell(TABLE.methodDebugInformation, method, 1);
  if (blob === 0) return undefined;
  const bytes = tables.blob(blob);
  const cursor: Cursor = { view: viewOf(bytes), at: 0 };
  compressedUnsigned(cursor); // the local variables' signature
  if (document === 0) document = compressedUnsigned(cursor);

  const rows: { il: number[]; line: number[]; endLine: number[]; document: number[] } = {
    il: [],
    line: [],
    endLine: [],
    document: [],
  };
  let il = 0;
  let line = 0;
  for (let first = true; cursor.at < bytes.length; ) {
    const ilDelta = compressedUnsigned(cursor);
    if (ilDelta === 0 && !first) {
      document = compressedUnsigned(cursor);
      continue;
    }
    first = false;
    il += ilDelta;
    const lines = compressedUnsigned(cursor);
    const columns = lines === 0 ? compressedUnsigned(cursor) : compressedSigned(cursor);
    const hidden = lines === 0 && columns === 0;
    if (!hidden) {
      const isFirstVisible = line === 0;
      line = isFirstVisible ? compressedUnsigned(cursor) : line + compressedSigned(cursor);
      if (isFirstVisible) compressedUnsigned(cursor);
      else compressedSigned(cursor);
    }
    rows.il.push(il);
    rows.line.push(hidden ? 0 : line);
    rows.endLine.push(hidden ? 0 : line + lines);
    rows.document.push(document);
  }
  return {
    il: Int32Array.from(rows.il),
    line: Int32Array.from(rows.line),
    endLine: Int32Array.from(rows.endLine),
    document: Int32Array.from(rows.document),
  };
}

/** A name is its parts, each a blob, joined by the separator that the name's blob begins with. */
function readDocumentName(tables: MetadataTables, document: number): string {
  const bytes = tables.blob(tables.cell(TABLE.document, document, 0));
  const separator = bytes[0] === 0 ? '' : String.fromCharCode(bytes[0]);
  const cursor: Cursor = { view: viewOf(bytes), at: 1 };
  const parts: string[] = [];
  while (cursor.at < bytes.length) {
    const part = compressedUnsigned(cursor);
    parts.push(part === 0 ? '' : utf8(tables.blob(part)));
  }
  return parts.join(separator);
}

const CHECKSUMS: Record<string, string> = {
  '8829d00f-11b8-4213-878b-770e8597ac16': 'sha256',
  'ff1816ec-aa5e-4d10-87f7-6f4963833460': 'sha1',
};

function readChecksum(tables: MetadataTables, document: number): string {
  const algorithm = tables.cell(TABLE.document, document, 1);
  const name = algorithm === 0 ? undefined : CHECKSUMS[guidText(tables.guid(algorithm))];
  if (name === undefined) return '';
  return `${name}:${Buffer.from(tables.blob(tables.cell(TABLE.document, document, 2))).toString('hex')}`;
}

function readEmbeddedSource(tables: MetadataTables, document: number, path: string): string | undefined {
  for (let row = 1; row <= tables.rows(TABLE.customDebugInformation); row++) {
    if (tables.cell(TABLE.customDebugInformation, row, 0) !== document * 32 + DOCUMENT_TAG) continue;
    if (guidText(tables.guid(tables.cell(TABLE.customDebugInformation, row, 1))) !== EMBEDDED_SOURCE) continue;
    const blob = tables.blob(tables.cell(TABLE.customDebugInformation, row, 2));
    const size = viewOf(blob).getInt32(0, true);
    if (size > MAX_SOURCE_BYTES) return undefined;
    const text = utf8(size > 0 ? inflate(blob.subarray(4), size, `${path} (embedded source)`) : blob.subarray(4));
    return text.replace(/^\uFEFF/, '');
  }
  return undefined;
}
