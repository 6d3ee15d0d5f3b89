import { float64Column, int32Column } from '../trace/columns.ts';
import { TraceError } from '../trace/errors.ts';
import { type Cursor, checkedRead, viewOf, zeroTerminated } from './bytes.ts';
import { nativeHashtableEntries, nativeUnsigned, readBits, readNativeArray, readNibbles } from './native-format.ts';
import type { Directory, PeImage } from './pe.ts';
import { type InstanceSignature, readInstanceSignature, type SignatureScope } from './r2r-signatures.ts';
import { lastAtMost } from './search.ts';

/**
 * Native code of a ReadyToRun image (dotnet/runtime, docs/design/coreclr/botr/readytorun-format.md; checked against
 * src/coreclr/tools/aot/ILCompiler.Reflection.ReadyToRun).
 */
export interface ReadyToRun {
  readonly majorVersion: number;
  /** The method whose code is at `rva`: a method's funclets and its cold part count as its own. */
  find(rva: number): NativeMethod | undefined;
  /** The code of a method of this image: one piece, or as many as there are instances of a generic one. */
  codeOf(methodRow: number): { readonly rva: number; readonly size: number }[];
}

/** One piece of a method's code; a method that was split has a hot and a cold piece. */
export interface NativeMethod {
  readonly rva: number;
  /** Bytes. */
  readonly size: number;
  /** Offset of the piece within the method's code as debug information counts it: 0 for the hot piece. */
  readonly nativeOffset: number;
  /** MethodDef row in the image's metadata, unless the instance names another module. @throws TraceError when that is damaged. */
  readonly methodRow: number;
  /** Type and method arguments; undefined for a method that is not generic. @throws TraceError when they are damaged. */
  readonly instance: InstanceSignature | undefined;
  /** Native offset → IL offset, as in CodeBody; undefined when the image has no debug information for it. */
  ilMap(): { readonly native: Int32Array; readonly il: Int32Array } | undefined;
}

const SECTION = {
  runtimeFunctions: 102,
  methodDefEntryPoints: 103,
  debugInfo: 105,
  instanceEntryPoints: 109,
  ownerComposite: 116,
  hotColdMap: 120,
} as const;
const MAX_SECTIONS = 256;
/** More entry points than a metadata table can have rows. */
const MAX_ENTRIES = 2 ** 25;
const AMD64 = 0x8664;

/**
 * Reads the tables of an image's native code.
 * @param scope resolves the types that instance signatures mention
 * @returns undefined for an image of IL only
 * @throws TraceError when the image is damaged, or its code lies in a composite image.
 */
export function readReadyToRun(pe: PeImage, scope: SignatureScope): ReadyToRun | undefined {
  const { nativeHeader } = pe;
  if (nativeHeader === undefined) return undefined;
  return checkedRead(pe.path, () => {
    const header = viewOf(pe.read(nativeHeader.rva, nativeHeader.size));
    if (header.getUint32(0, true) !== 0x00525452) return undefined;
    const majorVersion = header.getUint16(4, true);
    const sections = readSections(header);
    const composite = sections.get(SECTION.ownerComposite);
    if (composite !== undefined) {
      const owner = zeroTerminated(pe.read(composite.rva, composite.size), 0);
      throw new TraceError(`the native code of ${pe.path} lies in the composite image ${owner}, which is not read`);
    }
    const section = (type: number): DataView | undefined => {
      const found = sections.get(type);
      return found && viewOf(pe.read(found.rva, found.size));
    };
    const functions = readRuntimeFunctions(pe, section(SECTION.runtimeFunctions));
    const debugInfo = section(SECTION.debugInfo);
    const entries = readEntryPoints(
      section(SECTION.methodDefEntryPoints),
      section(SECTION.instanceEntryPoints),
      functions.count,
    );
    return createReadyToRun({
      majorVersion,
      functions,
      entries,
      debugInfo,
      cold: readColdParts(section(SECTION.hotColdMap)),
      scope,
      path: pe.path,
    });
  });
}

function readSections(header: DataView): Map<number, Directory> {
  const count = header.getUint32(12, true);
  if (count > MAX_SECTIONS) throw new RangeError(`${count} ReadyToRun sections`);
  const sections = new Map<number, Directory>();
  for (let i = 0; i < count; i++) {
    const at = 16 + i * 12;
    const size = header.getUint32(at + 8, true);
    if (size > 0) sections.set(header.getUint32(at, true), { rva: header.getUint32(at + 4, true), size });
  }
  return sections;
}

/** Pieces of code by ascending RVA: a method's body, each of its funclets, each cold part. */
interface RuntimeFunctions {
  readonly count: number;
  readonly begin: Float64Array;
  readonly end: Float64Array;
}

/** x64 states begin, end, unwind data; the other machines begin and unwind data, so that the next one's begin ends it. */
function readRuntimeFunctions(pe: PeImage, view: DataView | undefined): RuntimeFunctions {
  const rowSize = pe.machine === AMD64 ? 12 : 8;
  let count = Math.floor((view?.byteLength ?? 0) / rowSize);
  // The table is closed by a row of ones.
  while (view !== undefined && count > 0 && view.getUint32((count - 1) * rowSize, true) === 0xffffffff) count--;
  const begin = new Float64Array(count);
  const end = new Float64Array(count);
  for (let i = 0; view !== undefined && i < count; i++) {
    // ARM32 marks Thumb code in the lowest bit.
    begin[i] = view.getUint32(i * rowSize, true) - (pe.machine === 0x1c4 ? 1 : 0);
    if (rowSize === 12) end[i] = view.getUint32(i * rowSize + 4, true);
  }
  if (rowSize === 8) for (let i = 0; i < count; i++) end[i] = i + 1 < count ? begin[i + 1] : begin[i] + 65536;
  return { count, begin, end };
}

/** Entry points sorted by the runtime function they start at. */
interface EntryPoints {
  readonly functionIndex: Int32Array;
  /** MethodDef row; 0 for an instance of another module's method. */
  readonly methodRow: Int32Array;
  /** Where an instance's signature starts in `instances`; -1 for methods that are not generic. */
  readonly signatureAt: Int32Array;
  readonly instances: DataView | undefined;
}

function readEntryPoints(
  methodDefs: DataView | undefined,
  instances: DataView | undefined,
  functionCount: number,
): EntryPoints {
  // Large images have 50,000 entries: columns, and keys that sort by function with the row in their low part.
  const keys = float64Column();
  const methodRows = int32Column();
  const signatures = int32Column();
  const add = (functionIndex: number, methodRow: number, signatureAt: number): void => {
    if (functionIndex >= functionCount) return;
    keys.push(functionIndex * MAX_ENTRIES + keys.length);
    methodRows.push(methodRow);
    signatures.push(signatureAt);
  };
  if (methodDefs !== undefined) {
    const array = readNativeArray(methodDefs);
    const cursor: Cursor = { view: methodDefs, at: 0 };
    for (let i = 0; i < Math.min(array.length, MAX_ENTRIES / 2); i++) {
      cursor.at = array.find(i);
      if (cursor.at >= 0) add(entryFunction(cursor), i + 1, -1);
    }
  }
  if (instances !== undefined) {
    for (const at of nativeHashtableEntries(instances)) {
      const cursor: Cursor = { view: instances, at };
      const { module, methodRow } = readInstanceSignature(cursor);
      add(entryFunction(cursor), module === 0 ? methodRow : 0, at);
    }
  }
  const sorted = keys.finish().sort();
  const rows = Int32Array.from(sorted, (key) => key % MAX_ENTRIES);
  return {
    functionIndex: Int32Array.from(sorted, (key) => Math.floor(key / MAX_ENTRIES)),
    methodRow: rows.map((row) => methodRows.data[row]),
    signatureAt: rows.map((row) => signatures.data[row]),
    instances,
  };
}

/** Index of an entry's runtime function; its lowest bits tell whether fixups are recorded with it. */
function entryFunction(cursor: Cursor): number {
  const id = nativeUnsigned(cursor);
  return (id & 1) === 0 ? id >>> 1 : id >>> 2;
}

/** Runtime functions of cold parts and of the methods they belong to, both ascending by the cold one. */
interface ColdParts {
  readonly cold: Int32Array;
  readonly hot: Int32Array;
}

function readColdParts(view: DataView | undefined): ColdParts {
  const count = Math.floor((view?.byteLength ?? 0) / 8);
  const cold = new Int32Array(count);
  const hot = new Int32Array(count);
  for (let i = 0; view !== undefined && i < count; i++) {
    cold[i] = view.getInt32(i * 8, true);
    hot[i] = view.getInt32(i * 8 + 4, true);
  }
  return { cold, hot };
}

interface Tables {
  readonly majorVersion: number;
  readonly functions: RuntimeFunctions;
  readonly entries: EntryPoints;
  readonly debugInfo: DataView | undefined;
  readonly cold: ColdParts;
  readonly scope: SignatureScope;
  readonly path: string;
}

function createReadyToRun(tables: Tables): ReadyToRun {
  const { functions, entries, cold } = tables;
  const firstCold = cold.cold.length > 0 ? cold.cold[0] : functions.count;

  /** Runtime functions [first, end) of the piece that runtime function `index` is part of. */
  const pieceOf = (index: number): { first: number; end: number; hot: number } | undefined => {
    const inCold = index >= firstCold;
    const starts = inCold ? cold.cold : entries.functionIndex;
    const at = lastAtMost(starts, index);
    if (at < 0) return undefined;
    let next = at + 1;
    while (next < starts.length && starts[next] === starts[at]) next++;
    const end = next < starts.length ? starts[next] : inCold ? functions.count : firstCold;
    return { first: starts[at], end, hot: inCold ? cold.hot[at] : starts[at] };
  };
  const sizeOf = (piece: { first: number; end: number }): number =>
    functions.end[piece.end - 1] - functions.begin[piece.first];

  return {
    majorVersion: tables.majorVersion,
    find(rva) {
      const index = lastAtMost(functions.begin, rva);
      if (index < 0) return undefined;
      const piece = pieceOf(index);
      // Between two functions lie padding and, after the last, thunks: neither is a method.
      if (piece === undefined || rva >= functions.end[index]) return undefined;
      const entry = lastAtMost(entries.functionIndex, piece.hot);
      if (entry < 0 || entries.functionIndex[entry] !== piece.hot) return undefined;
      const hotPiece = piece.hot === piece.first ? piece : pieceOf(piece.hot);
      if (hotPiece === undefined) return undefined;
      // Many addresses lie in one method: its signature is read when it is asked for.
      let instance: { readonly is: InstanceSignature | undefined } | undefined;
      const readInstance = () => {
        instance ??= { is: instanceAt(tables, entry) };
        return instance.is;
      };
      return {
        rva: functions.begin[piece.first],
        size: sizeOf(piece),
        nativeOffset: hotPiece === piece ? 0 : sizeOf(hotPiece),
        get methodRow() {
          return readInstance()?.methodRow ?? entries.methodRow[entry];
        },
        get instance() {
          return readInstance();
        },
        ilMap: () => checkedRead(tables.path, () => readBounds(tables, piece.hot)),
      };
    },
    codeOf(methodRow) {
      const found: { rva: number; size: number }[] = [];
      for (let entry = entries.methodRow.indexOf(methodRow); entry >= 0; ) {
        const piece = pieceOf(entries.functionIndex[entry]);
        if (piece !== undefined) found.push({ rva: functions.begin[piece.first], size: sizeOf(piece) });
        entry = entries.methodRow.indexOf(methodRow, entry + 1);
      }
      return found;
    },
  };
}

function instanceAt(tables: Tables, entry: number): InstanceSignature | undefined {
  const { instances, signatureAt } = tables.entries;
  if (signatureAt[entry] < 0 || instances === undefined) return undefined;
  return checkedRead(tables.path, () =>
    readInstanceSignature({ view: instances, at: signatureAt[entry] }, tables.scope),
  );
}

const MAX_BOUNDS = 1 << 20;
/** IL offsets are written plus 3, so that prolog (-2), epilog (-3) and no mapping (-1) are small too. */
const IL_BIAS = 3;

/**
 * Debug information of the method that starts at a runtime function: an optional reference back to an equal one, the
 * sizes of its parts, then the bounds (dotnet/runtime, src/coreclr/vm/debuginfostore.cpp). Bounds are nibble-coded
 * before version 16, and since then packed into fields of fixed width whose source type grew to 3 bits with version 17.
 */
function readBounds(
  tables: Tables,
  functionIndex: number,
): { readonly native: Int32Array; readonly il: Int32Array } | undefined {
  const { debugInfo: view, majorVersion } = tables;
  if (view === undefined) return undefined;
  const place = readNativeArray(view).find(functionIndex);
  if (place < 0) return undefined;
  const cursor: Cursor = { view, at: place };
  const lookBack = nativeUnsigned(cursor);
  const header = readNibbles(view, lookBack === 0 ? cursor.at : place - lookBack);
  let boundsSize = header.next();
  if (boundsSize === 0 && majorVersion >= 17) {
    // A long header: bounds, variables, bounds before instrumentation, patchpoints, rich debug and async information.
    boundsSize = header.next();
    for (let i = 0; i < 4; i++) header.next();
  }
  header.next();
  if (boundsSize === 0) return undefined;

  const bounds = readNibbles(view, header.nextByte());
  const count = bounds.next();
  if (count > Math.min(MAX_BOUNDS, boundsSize * 8)) throw new RangeError(`${count} bounds in ${boundsSize} bytes`);
  const native = new Int32Array(count);
  const il = new Int32Array(count);
  let offset = 0;
  if (majorVersion < 16) {
    for (let i = 0; i < count; i++) {
      offset += bounds.next();
      native[i] = offset;
      il[i] = bounds.next() - IL_BIAS;
      bounds.next(); // source type
    }
    return { native, il };
  }
  const nativeBits = bounds.next() + 1;
  const ilBits = bounds.next() + 1;
  const sourceBits = majorVersion >= 17 ? 3 : 2;
  if (nativeBits > 32 || ilBits > 32) throw new RangeError('bounds of more than 32 bits');
  let bit = bounds.nextByte() * 8;
  for (let i = 0; i < count; i++) {
    offset += readBits(view, bit + sourceBits, nativeBits);
    native[i] = offset;
    il[i] = readBits(view, bit + sourceBits + nativeBits, ilBits) - IL_BIAS;
    bit += sourceBits + nativeBits + ilBits;
  }
  return { native, il };
}
