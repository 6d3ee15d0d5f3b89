import { float64Column } from '../../../trace/columns.ts';
import { lastAtMost } from '../../search.ts';
import { attempt, type Note } from '../attempt.ts';
import { indexRanges, type RangeIndex } from '../range-index.ts';
import { ByteReader } from '../reader.ts';
import { eachRange } from './ranges.ts';
import type { DwarfSections } from './sections.ts';
import { readInitialLength, readUnit, readUnitHeader, type UnitHeader } from './units.ts';

/** Finds the unit of an address and the unit of an entry. */
export interface UnitIndex {
  /** Offset of the unit whose code is at `address`, or -1. */
  unitOf(address: number): number;
  /** Header of the unit around an offset of .debug_info; undefined outside of all. */
  unitAround(offset: number): UnitHeader | undefined;
}

const MAX_UNITS = 1_000_000;
const MAX_RANGES = 8_000_000;
const MAX_SET_BYTES = 64 * 1024 * 1024;

/**
 * .debug_aranges where the compiler wrote it, and for the units that it leaves out what their root entries say.
 * @param note is told what is damaged; the rest is used
 */
export function indexUnits(sections: DwarfSections, isCode: (address: number) => boolean, note: Note): UnitIndex {
  const listed = newRanges(isCode);
  let others: RangeIndex | undefined;
  const otherRanges = newRanges(isCode);
  let headers: readonly UnitHeader[] | undefined;
  let offsets: readonly number[] = [];

  attempt(note, '.debug_aranges', () => readAranges(sections, listed));
  const listedIndex = listed.index();

  const allHeaders = (): readonly UnitHeader[] => {
    if (headers === undefined) {
      const found: UnitHeader[] = [];
      attempt(note, '.debug_info', () => {
        for (let offset = 0; offset < sections.info.size && found.length < MAX_UNITS; offset = found.at(-1)!.end) {
          found.push(readUnitHeader(sections, offset));
        }
      });
      headers = found;
      offsets = found.map((unit) => unit.offset);
    }
    return headers;
  };
  const indexOthers = (): RangeIndex => {
    for (const header of allHeaders()) {
      if (listed.units.has(header.offset) || !header.hasCode) continue;
      attempt(note, 'a unit of .debug_info', () => {
        const unit = readUnit(sections, header);
        eachRange(unit, unit, (start, end) => otherRanges.add(start, end, header.offset));
      });
    }
    return otherRanges.index();
  };

  return {
    unitOf(address) {
      const row = listedIndex.find(address);
      if (row >= 0) return listed.unit.data[row];
      others ??= indexOthers();
      const other = others.find(address);
      return other < 0 ? -1 : otherRanges.unit.data[other];
    },
    unitAround(offset) {
      const unit = allHeaders()[lastAtMost(offsets, offset)];
      return unit !== undefined && offset < unit.end ? unit : undefined;
    },
  };
}

function newRanges(isCode: (address: number) => boolean) {
  const starts = float64Column();
  const ends = float64Column();
  const unit = float64Column();
  const units = new Set<number>();
  return {
    unit,
    units,
    add(start: number, end: number, offset: number) {
      units.add(offset);
      if (end <= start || !isCode(start)) return;
      if (starts.length >= MAX_RANGES) throw new RangeError(`more than ${MAX_RANGES} ranges`);
      starts.push(start);
      ends.push(end);
      unit.push(offset);
    },
    index: () => indexRanges(starts.finish(), ends.finish()),
  };
}

/** .debug_aranges (DWARF 5, 6.1.2): per unit a header and tuples of address and length, aligned to their size. */
function readAranges(sections: DwarfSections, ranges: ReturnType<typeof newRanges>): void {
  const { aranges } = sections;
  for (let offset = 0; offset < aranges.size; ) {
    const head = new ByteReader(aranges.read(offset, Math.min(12, aranges.size - offset)));
    const { length, offsetSize } = readInitialLength(head);
    if (length > MAX_SET_BYTES) throw new RangeError(`a set of ${length} bytes`);
    const reader = new ByteReader(aranges.read(offset, head.at + length), head.at);
    reader.skip(2);
    const unit = reader.unsigned(offsetSize);
    const addressSize = reader.u8();
    const segmentSize = reader.u8();
    const tuple = addressSize * 2;
    if (segmentSize === 0 && (addressSize === 4 || addressSize === 8)) {
      reader.at = Math.ceil(reader.at / tuple) * tuple;
      while (reader.at + tuple <= reader.bytes.length) {
        const start = reader.unsigned(addressSize);
        ranges.add(start, start + reader.unsigned(addressSize), unit);
      }
    }
    offset += reader.bytes.length;
  }
}
