import { TraceError } from '../trace/errors.ts';
import { type Cursor, compressedUnsigned, viewOf, zeroTerminated } from './bytes.ts';

/**
 * Tables and heaps of a metadata blob, as images (ECMA-335 II.24) and portable PDBs (dotnet/runtime,
 * docs/design/specs/PortablePdb-Metadata.md) have them. Rows are numbered from 1.
 */
export interface MetadataTables {
  /** Rows of a table; 0 when it is absent. */
  rows(table: number): number;
  /** Value of a cell: a number, or an offset or row for references. */
  cell(table: number, row: number, column: number): number;
  string(offset: number): string;
  blob(offset: number): Uint8Array;
  /** 16 bytes; `index` counts from 1. */
  guid(index: number): Uint8Array;
  /** Raw bytes of a stream such as "#Pdb". */
  stream(name: string): Uint8Array | undefined;
}

export const TABLE = {
  typeRef: 0x01,
  typeDef: 0x02,
  methodDef: 0x06,
  assembly: 0x20,
  assemblyRef: 0x23,
  nestedClass: 0x29,
  document: 0x30,
  methodDebugInformation: 0x31,
  stateMachineMethod: 0x36,
  customDebugInformation: 0x37,
} as const;

/** Coded indices (ECMA-335 II.24.2.6): bits of the tag and the tables it selects. */
const HAS_CUSTOM_ATTRIBUTE = [
  0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x00, 0x0e, 0x17, 0x14, 0x11, 0x1a, 0x1b, 0x20, 0x23, 0x26, 0x27, 0x28,
  0x2a, 0x2c, 0x2b,
];
const CODED: Record<string, readonly [bits: number, tables: readonly number[]]> = {
  typeDefOrRef: [2, [0x02, 0x01, 0x1b]],
  hasConstant: [2, [0x04, 0x08, 0x17]],
  hasCustomAttribute: [5, HAS_CUSTOM_ATTRIBUTE],
  hasFieldMarshal: [1, [0x04, 0x08]],
  hasDeclSecurity: [2, [0x02, 0x06, 0x20]],
  memberRefParent: [3, [0x02, 0x01, 0x1a, 0x06, 0x1b]],
  hasSemantics: [1, [0x14, 0x17]],
  methodDefOrRef: [1, [0x06, 0x0a]],
  memberForwarded: [1, [0x04, 0x06]],
  implementation: [2, [0x26, 0x23, 0x27]],
  customAttributeType: [3, [0x06, 0x0a]],
  resolutionScope: [2, [0x00, 0x1a, 0x23, 0x01]],
  typeOrMethodDef: [1, [0x02, 0x06]],
  hasCustomDebugInformation: [5, [...HAS_CUSTOM_ATTRIBUTE, 0x30, 0x32, 0x33, 0x34, 0x35]],
};

/**
 * Columns of every table: `2` and `4` are numbers of so many bytes, S B G offsets into the heaps of strings, blobs and
 * GUIDs, `tNN` a row of table NN, else a coded index.
 */
const COLUMNS: Record<number, string> = {
  0: '2 S G G G',
  1: 'resolutionScope S S',
  2: '4 S S typeDefOrRef t04 t06',
  3: 't04',
  4: '2 S B',
  5: 't06',
  6: '4 2 2 S B t08',
  7: 't08',
  8: '2 2 S',
  9: 't02 typeDefOrRef',
  10: 'memberRefParent S B',
  11: '2 hasConstant B',
  12: 'hasCustomAttribute customAttributeType B',
  13: 'hasFieldMarshal B',
  14: '2 hasDeclSecurity B',
  15: '2 4 t02',
  16: '4 t04',
  17: 'B',
  18: 't02 t14',
  19: 't14',
  20: '2 S typeDefOrRef',
  21: 't02 t17',
  22: 't17',
  23: '2 S B',
  24: '2 t06 hasSemantics',
  25: 't02 methodDefOrRef methodDefOrRef',
  26: 'S',
  27: 'B',
  28: '2 memberForwarded S t1a',
  29: '4 t04',
  30: '4 4',
  31: '4',
  32: '4 2 2 2 2 4 B S S',
  33: '4',
  34: '4 4 4',
  35: '2 2 2 2 4 B S S B',
  36: '4 t23',
  37: '4 4 4 t23',
  38: '4 S B',
  39: '4 4 S S implementation',
  40: '4 4 S implementation',
  41: 't02 t02',
  42: '2 2 typeOrMethodDef S',
  43: 'methodDefOrRef B',
  44: 't2a typeDefOrRef',
  48: 'B G B G',
  49: 't30 B',
  50: 't06 t35 t33 t34 4 4',
  51: '2 2 S',
  52: 'S B',
  53: 't35 B',
  54: 't06 t06',
  55: 'hasCustomDebugInformation G B',
};

interface TableLayout {
  readonly rows: number;
  readonly offset: number;
  readonly rowSize: number;
  readonly columns: readonly { readonly offset: number; readonly wide: boolean }[];
}

/**
 * Lays out the tables of a metadata blob. Call within `checkedRead`: reads outside of the blob throw RangeError.
 * @throws TraceError when it is not metadata or holds a table that the formats do not define.
 */
export function readTables(blob: Uint8Array, path: string): MetadataTables {
  const streams = readStreams(blob, path);
  const tables = streams.get('#~') ?? streams.get('#-');
  if (tables === undefined) throw new TraceError(`${path} has no metadata tables`);
  const strings = streams.get('#Strings') ?? new Uint8Array(0);
  const blobs = streams.get('#Blob') ?? new Uint8Array(0);
  const guids = streams.get('#GUID') ?? new Uint8Array(0);
  const blobView = viewOf(blobs);
  const view = viewOf(tables);
  const layout = layOut(view, referencedRows(streams.get('#Pdb')), path);

  return {
    rows: (table) => layout[table]?.rows ?? 0,
    cell(table, row, column) {
      const found = layout[table];
      if (found === undefined || row < 1 || row > found.rows) throw new RangeError(`row ${row} of table ${table}`);
      const { offset, wide } = found.columns[column];
      const at = found.offset + (row - 1) * found.rowSize + offset;
      return wide ? view.getUint32(at, true) : view.getUint16(at, true);
    },
    string: (offset) => zeroTerminated(strings, offset),
    blob(offset) {
      const cursor: Cursor = { view: blobView, at: offset };
      const length = compressedUnsigned(cursor);
      if (cursor.at + length > blobs.length) throw new RangeError(`blob of ${length} bytes`);
      return blobs.subarray(cursor.at, cursor.at + length);
    },
    guid: (index) => guids.subarray((index - 1) * 16, index * 16),
    stream: (name) => streams.get(name),
  };
}

function readStreams(blob: Uint8Array, path: string): Map<string, Uint8Array> {
  const view = viewOf(blob);
  if (blob.length < 20 || view.getUint32(0, true) !== 0x424a5342) throw new TraceError(`${path} holds no metadata`);
  let at = 16 + view.getUint32(12, true);
  const count = view.getUint16(at + 2, true);
  at += 4;
  const streams = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const name = zeroTerminated(blob.subarray(at + 8, at + 40), 0);
    if (offset + size > blob.length) throw new RangeError(`stream ${name}`);
    streams.set(name, blob.subarray(offset, offset + size));
    at += 8 + ((name.length + 4) & ~3);
  }
  return streams;
}

/** A PDB says how many rows the tables of its image have, because that decides how wide its references to them are. */
function referencedRows(pdb: Uint8Array | undefined): number[] {
  const rows: number[] = new Array(64).fill(0);
  if (pdb === undefined) return rows;
  const view = viewOf(pdb);
  let at = 32;
  for (const table of tablesOf(view, 24)) {
    rows[table] = view.getUint32(at, true);
    at += 4;
  }
  return rows;
}

/** Numbers of the tables whose bit is set in the 64 bits at `at`. */
function tablesOf(view: DataView, at: number): number[] {
  const low = view.getUint32(at, true);
  const high = view.getUint32(at + 4, true);
  const tables: number[] = [];
  for (let i = 0; i < 64; i++) if (((i < 32 ? low >>> i : high >>> (i - 32)) & 1) === 1) tables.push(i);
  return tables;
}

function layOut(view: DataView, referenced: readonly number[], path: string): (TableLayout | undefined)[] {
  const heapSizes = view.getUint8(6);
  const present = tablesOf(view, 8);
  const rows = [...referenced];
  let at = 24;
  for (const table of present) {
    rows[table] = view.getUint32(at, true);
    at += 4;
  }
  const isWide = (column: string): boolean => {
    if (column === '2' || column === '4') return column === '4';
    if (column === 'S') return (heapSizes & 1) !== 0;
    if (column === 'G') return (heapSizes & 2) !== 0;
    if (column === 'B') return (heapSizes & 4) !== 0;
    if (column in CODED) {
      const [bits, tables] = CODED[column];
      return Math.max(...tables.map((table) => rows[table])) >= 1 << (16 - bits);
    }
    return rows[Number.parseInt(column.slice(1), 16)] >= 65536;
  };
  const layout: (TableLayout | undefined)[] = new Array(64).fill(undefined);
  for (const table of present) {
    if (!(table in COLUMNS)) throw new TraceError(`${path} has a metadata table that is not known (${table})`);
    let rowSize = 0;
    const columns = COLUMNS[table].split(' ').map((kind) => {
      const column = { offset: rowSize, wide: isWide(kind) };
      rowSize += column.wide ? 4 : 2;
      return column;
    });
    layout[table] = { rows: rows[table], offset: at, rowSize, columns };
    at += rows[table] * rowSize;
    if (at > view.byteLength) throw new RangeError(`table ${table} of ${rows[table]} rows`);
  }
  return layout;
}
