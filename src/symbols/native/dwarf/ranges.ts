import { ByteReader } from '../reader.ts';
import type { SectionData } from '../section.ts';
import { FORM } from './constants.ts';
import type { Entry } from './entry.ts';
import { isAddressForm } from './forms.ts';
import { addressAt, readAddress, type Unit } from './units.ts';

/** Called with each part of an entry's code: [start, end). */
export type RangeVisitor = (start: number, end: number) => void;

const MAX_RANGES = 1_000_000;

/** Kinds of DWARF 5's range list entries. */
const RLE = {
  end: 0,
  baseX: 1,
  startXEndX: 2,
  startXLength: 3,
  offsets: 4,
  base: 5,
  startEnd: 6,
  startLength: 7,
} as const;

/** The code of an entry: its range list, or low and high address. The latter is a length unless it has an address form. */
export function eachRange(unit: Unit, entry: Pick<Entry, 'lowPc' | 'highPc' | 'ranges'>, visit: RangeVisitor): void {
  const { lowPc, highPc, ranges } = entry;
  if (ranges.form !== 0) {
    if (unit.version >= 5) eachListed5(unit, listOffset5(unit, ranges.form, ranges.value), visit);
    else eachListed(unit, ranges.value, visit);
  } else if (lowPc.form !== 0 && highPc.form !== 0) {
    const low = readAddress(unit, lowPc);
    visit(low, isAddressForm(highPc.form) ? readAddress(unit, highPc) : low + highPc.value);
  }
}

/** .debug_ranges (DWARF 4, 2.17.3): pairs relative to a base; a pair that starts with the highest address sets it. */
function eachListed(unit: Unit, offset: number, visit: RangeVisitor): void {
  const { addressSize } = unit;
  const highest = addressSize === 8 ? 2 ** 64 : 2 ** 32 - 1;
  let base = unit.base;
  eachPiece(unit.sections.ranges, offset, (reader) => {
    const start = reader.unsigned(addressSize);
    const end = reader.unsigned(addressSize);
    if (start === 0 && end === 0) return false;
    // As a double the highest 64-bit address is 2^64.
    if (start === highest) base = end;
    else if (start < end) visit(base + start, base + end);
    return true;
  });
}

function listOffset5(unit: Unit, form: number, value: number): number {
  if (form !== FORM.rnglistx) return value;
  const row = unit.sections.rnglists.read(unit.rnglistsBase + value * unit.offsetSize, unit.offsetSize);
  return unit.rnglistsBase + new ByteReader(row).unsigned(unit.offsetSize);
}

/** .debug_rnglists (DWARF 5, 7.25). */
function eachListed5(unit: Unit, offset: number, visit: RangeVisitor): void {
  const { addressSize } = unit;
  let base = unit.base;
  eachPiece(unit.sections.rnglists, offset, (reader) => {
    const kind = reader.u8();
    switch (kind) {
      case RLE.end:
        return false;
      case RLE.baseX:
        base = addressAt(unit, reader.uleb());
        return true;
      case RLE.base:
        base = reader.unsigned(addressSize);
        return true;
    }
    const [start, end] = listedRange(unit, kind, reader, base);
    if (start < end) visit(start, end);
    return true;
  });
}

function listedRange(unit: Unit, kind: number, reader: ByteReader, base: number): [number, number] {
  const { addressSize } = unit;
  switch (kind) {
    case RLE.startXEndX:
      return [addressAt(unit, reader.uleb()), addressAt(unit, reader.uleb())];
    case RLE.startXLength: {
      const start = addressAt(unit, reader.uleb());
      return [start, start + reader.uleb()];
    }
    case RLE.offsets:
      return [base + reader.uleb(), base + reader.uleb()];
    case RLE.startEnd:
      return [reader.unsigned(addressSize), reader.unsigned(addressSize)];
    case RLE.startLength: {
      const start = reader.unsigned(addressSize);
      return [start, start + reader.uleb()];
    }
    default:
      throw new RangeError(`range list entry ${kind}`);
  }
}

/** Reads one piece after the other until `readPiece` returns false. */
function eachPiece(section: SectionData, offset: number, readPiece: (reader: ByteReader) => boolean): void {
  let next = offset;
  for (let count = 0; ; count++) {
    if (count > MAX_RANGES) throw new RangeError('a range list without an end');
    // A piece has two addresses or varying integers at most.
    const bytes = section.read(next, Math.min(32, Math.max(0, section.size - next)));
    const reader = new ByteReader(bytes);
    if (!readPiece(reader)) return;
    next += reader.at;
  }
}
