import { createKeyIndex } from '../../trace/keys.ts';
import { heapIndex } from '../../trace/kinds.ts';
import type { AllocationSource } from '../../trace/tables.ts';
import { type AllocationRows, createAllocationRows } from './allocation-rows.ts';
import { type Cursor, readPointer, readU8, readU16, readU32, readU64, readUtf16, skip, u64At, utf16 } from './bytes.ts';
import type { RawAllocations, RawType } from './capture.ts';
import { damaged } from './damage.ts';
import type { EventHandler, StreamEvent } from './event.ts';

/**
 * Allocation events. Layouts: dotnet/runtime src/coreclr/vm/ClrEtwAll.man, templates GCAllocationTick … _V4,
 * AllocationSampled, GCSampledObjectAllocation and BulkType.
 */

const NO_HEAP = heapIndex('none');
/** AllocationKind of the runtime's events: small, large, pinned object heap. */
const HEAP_OF_KIND = [heapIndex('soh'), heapIndex('loh'), heapIndex('poh')];
/** GCLOHThreshold's default: bytes from which an object goes to the large object heap. */
const LARGE_OBJECT_BYTES = 85_000;

/** Names joined of parts can repeat each other without end in a damaged stream. */
const MAX_NAME_LENGTH = 4096;

/** Sources from worst to best: what a better one saw replaces what a worse one saw of the same process. */
const SOURCES: readonly AllocationSource[] = [
  'none',
  'allocation-tick-without-size',
  'allocation-tick',
  'allocation-sampled',
  'exact',
];

/** The higher, the more an allocation source says. */
export const rankOf = (source: AllocationSource): number => SOURCES.indexOf(source);
const SAMPLED = rankOf('allocation-sampled');
const EXACT = rankOf('exact');

export interface AllocationLog {
  readonly source: AllocationSource;
  /** False when rows of a better source are there, so that this one's would count bytes twice; `rank` is its {@link rankOf}. */
  accepts(rank: number): boolean;
  readonly add: AllocationRows['add'];
  readonly settle: AllocationRows['settle'];
  /** An event stood for several objects, so the rows are not every allocation after all. */
  sawSeveral(): void;
  /** Row of a type by its handle (two halves) and its name, which is decoded once; `to` excludes the terminator. */
  type(low: number, high: number, bytes: Uint8Array, from: number, to: number): number;
  /** Row of a type that a BulkType event names, before or after this. */
  typeByHandle(low: number, high: number): number;
  nameHandle(handle: number, bulk: BulkType): void;
  /** Rows in time order, and their types. */
  finish(): { allocations: RawAllocations; types: RawType[] };
}

interface BulkType {
  readonly name: string;
  /** Rank of an array (1 for a vector), 0 for everything else. */
  readonly rank: number;
  readonly parameters: readonly number[];
}

export function createAllocationLog(): AllocationLog {
  let rank = 0;
  let severalObjects = false;
  const rows = createAllocationRows();

  const types: { name: string; handle: number }[] = [];
  /** Its rows are those of `types`. */
  const handles = createKeyIndex();
  const unnamed: number[] = [];
  const bulk = new Map<number, BulkType>();
  // Programs allocate the same type several times in a row.
  let lastLow = 0;
  let lastHigh = 0;
  let lastLength = UNNAMED;
  let lastRow = 0;

  return {
    get source() {
      return severalObjects ? 'allocation-tick' : SOURCES[rank];
    },
    sawSeveral() {
      severalObjects = true;
    },
    accepts(offered) {
      if (offered > rank) {
        rows.clear();
        rank = offered;
      }
      return offered === rank;
    },
    add: rows.add,
    settle: rows.settle,
    type(low, high, bytes, from, to) {
      if (low === lastLow && high === lastHigh && to - from === lastLength) return lastRow;
      // The length of the name is part of the key: a handle can be given to another type after an unload.
      const row = handles.add(low, high, to - from);
      if (row === types.length) {
        const name = utf16(bytes, from, to);
        if (name.includes('\0')) damaged('a type has a name with a hole');
        types.push({ name, handle: handleOf(low, high) });
      }
      lastLow = low;
      lastHigh = high;
      lastLength = to - from;
      lastRow = row;
      return row;
    },
    typeByHandle(low, high) {
      const row = handles.add(low, high, UNNAMED);
      if (row === types.length) {
        unnamed.push(row);
        types.push({ name: '', handle: handleOf(low, high) });
      }
      return row;
    },
    nameHandle(handle, named) {
      bulk.set(handle, named);
    },
    finish() {
      const known = new Map<number, string>();
      for (const row of unnamed) types[row].name = bulkName(bulk, known, types[row].handle);
      return { allocations: rows.finish(), types };
    },
  };
}

/** Stands for the length of a name where the event has none. */
const UNNAMED = -1;

const handleOf = (low: number, high: number): number => (low >>> 0) + (high >>> 0) * 0x1_0000_0000;

/**
 * The name the other events would give: BulkType names arrays, and in some versions generic types, by their parts. It holds
 * names at all only in sessions with the keyword GCHeapAndTypeNames (0x1000000).
 */
function bulkName(bulk: ReadonlyMap<number, BulkType>, known: Map<number, string>, handle: number): string {
  const before = known.get(handle);
  if (before !== undefined) return before;
  const unknown = `unknown type 0x${handle.toString(16)}`;
  known.set(handle, unknown);
  const type = bulk.get(handle);
  if (type === undefined || (type.name === '' && type.rank === 0)) return unknown;
  const name = joinName(type, (parameter) => bulkName(bulk, known, parameter)).slice(0, MAX_NAME_LENGTH);
  known.set(handle, name);
  return name;
}

function joinName({ name, rank, parameters }: BulkType, nameOf: (handle: number) => string): string {
  if (rank > 0) return `${parameters.length > 0 ? nameOf(parameters[0]) : name}[${','.repeat(rank - 1)}]`;
  const isOpen = name.includes('`') && !name.includes('[') && parameters.length > 0;
  return isOpen ? `${name}[${parameters.map(nameOf).join(',')}]` : name;
}

/**
 * GCAllocationTick (10): one event per ~100 KiB allocated. u32 amount, u32 kind; v1: u16 CLR instance; v2: u64 amount,
 * pointer TypeID, TypeName, u32 heap index; v3: pointer address; v4: u64 object size.
 */
export function allocationTick(version: number): EventHandler {
  const rank = rankOf(version >= 4 ? 'allocation-tick' : 'allocation-tick-without-size');
  return (event, process) => {
    const { view, pos, end, pointerSize } = event;
    if (end - pos < (version >= 2 ? 24 + pointerSize : 8) || !process.allocations.accepts(rank)) return;
    const log = process.allocations;
    const heap = HEAP_OF_KIND[view.getUint32(pos + 4, true)] ?? NO_HEAP;
    let type = -1;
    let objectSize = 0;
    if (version >= 2) {
      const nameAt = pos + 18 + pointerSize;
      const tail = 4 + (version >= 3 ? pointerSize : 0) + (version >= 4 ? 8 : 0);
      const nameEnd = version <= 4 ? nameEndBefore(event, nameAt, tail) : scanName(event, nameAt);
      const high = pointerSize === 8 ? view.getInt32(pos + 22, true) : 0;
      type = log.type(view.getInt32(pos + 18, true), high, event.bytes, nameAt, nameEnd);
      const sizeAt = nameEnd + 2 + 4 + pointerSize;
      if (version >= 4 && sizeAt + 8 <= end) objectSize = u64At(view, sizeAt);
    } else {
      type = log.type(0, 0, event.bytes, pos, pos);
    }
    const amount = version >= 2 ? u64At(view, pos + 10) : view.getUint32(pos, true);
    // It is said twice.
    if (amount % 0x1_0000_0000 !== view.getUint32(pos, true)) damaged('a tick states two different amounts');
    checkBytes(amount);
    log.add(event.time, process.thread(event.thread), heap, type, process.stack(event), objectSize, amount);
  };
}

/** AllocationSampled (303, .NET 10): u32 kind, u16 CLR instance, pointer TypeID, TypeName, pointer address, u64 size, u64 offset. */
export const allocationSampled: EventHandler = (event, process) => {
  const { view, pos, end, pointerSize } = event;
  if (end - pos < 24 + 2 * pointerSize || !process.allocations.accepts(SAMPLED)) return;
  const log = process.allocations;
  const nameAt = pos + 6 + pointerSize;
  const nameEnd = nameEndBefore(event, nameAt, pointerSize + 16);
  const sizeAt = nameEnd + 2 + pointerSize;
  if (sizeAt + 8 > end) return;
  const high = pointerSize === 8 ? view.getInt32(pos + 10, true) : 0;
  const type = log.type(view.getInt32(pos + 6, true), high, event.bytes, nameAt, nameEnd);
  const size = u64At(view, sizeAt);
  checkBytes(size);
  const heap = HEAP_OF_KIND[view.getUint32(pos, true)] ?? NO_HEAP;
  log.add(event.time, process.thread(event.thread), heap, type, process.stack(event), size, size);
};

/**
 * GCSampledObjectAllocation (20 high, 32 low): pointer address, pointer TypeID, u32 count, u64 bytes, u16 CLR instance.
 * It does not say which heap: objects from the default threshold on count as large, pinned ones are not told apart.
 *
 * Without a rate limit the runtime sends one event per object; with one, an event also stands for the objects of its type
 * that were passed over: `amount` is then count × `objectSize`, the same statement as a tick's.
 */
export const sampledObject: EventHandler = (event, process) => {
  const { view, pos, end, pointerSize } = event;
  if (end - pos < 12 + 2 * pointerSize || !process.allocations.accepts(EXACT)) return;
  const log = process.allocations;
  const typeAt = pos + pointerSize;
  const countAt = typeAt + pointerSize;
  const type = log.typeByHandle(view.getInt32(typeAt, true), pointerSize === 8 ? view.getInt32(typeAt + 4, true) : 0);
  const amount = u64At(view, countAt + 4);
  checkBytes(amount);
  const count = Math.max(1, view.getUint32(countAt, true));
  if (count > 1) log.sawSeveral();
  const size = amount / count;
  const heap = HEAP_OF_KIND[size >= LARGE_OBJECT_BYTES ? 1 : 0];
  log.add(event.time, process.thread(event.thread), heap, type, process.stack(event), size, amount);
};

/**
 * BulkType (15): u32 count, u16 CLR instance, then per type u64 TypeID, u64 ModuleID, u32 TypeNameID, u32 flags
 * (0x8 array, 0x3F00 rank of a multi-dimensional one), u8 element type, Name, u32 count of parameters, u64 each.
 */
export const bulkType: EventHandler = (event, process) => {
  const count = readU32(event);
  readU16(event);
  for (let i = 0; i < count && event.pos < event.end; i++) {
    const handle = readU64(event);
    skip(event, 12);
    const flags = readU32(event);
    readU8(event);
    const name = readUtf16(event);
    const parameters = readHandles(event);
    const rank = flags & 0x8 ? Math.max(1, (flags & 0x3f00) >> 8) : 0;
    process.allocations.nameHandle(handle, { name, rank, parameters });
  }
};

function readHandles(c: Cursor): number[] {
  const count = Math.min(readU32(c), Math.floor((c.end - c.pos) / 8));
  return Array.from({ length: count }, () => readPointer(c, 8));
}

/** Programs have addresses of 47 bits. */
const MAX_BYTES = 2 ** 47;

/** The runtime never states nothing, nor more than there can be: a stream that does has a hole. */
function checkBytes(bytes: number): void {
  if (bytes === 0 || bytes > MAX_BYTES) damaged(`an allocation of ${bytes} bytes`);
}

/** End of a name (before its terminator) that `tail` bytes follow; found without looking at the name. */
function nameEndBefore(event: StreamEvent, nameAt: number, tail: number): number {
  const at = event.end - tail - 2;
  const { bytes } = event;
  if (!event.padded && at >= nameAt && bytes[at] === 0 && bytes[at + 1] === 0) return at;
  return scanName(event, nameAt);
}

function scanName(event: StreamEvent, nameAt: number): number {
  const { bytes, end } = event;
  let at = nameAt;
  while (at + 2 <= end && (bytes[at] !== 0 || bytes[at + 1] !== 0)) at += 2;
  return Math.min(at, Math.max(nameAt, end));
}
