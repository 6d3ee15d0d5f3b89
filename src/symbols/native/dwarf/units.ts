import { zeroTerminated } from '../../bytes.ts';
import { ByteReader } from '../reader.ts';
import { parseAt } from '../section.ts';
import { type Abbreviations, readAbbreviations } from './abbreviations.ts';
import { FORM, UT } from './constants.ts';
import { newEntry, readEntry, type Value } from './entry.ts';
import { type Encoding, isAddressIndexForm, isTextIndexForm } from './forms.ts';
import type { DwarfSections } from './sections.ts';

/** Where a unit lies in .debug_info. */
export interface UnitHeader extends Encoding {
  readonly offset: number;
  readonly end: number;
  /** Offset of its root entry. */
  readonly root: number;
  readonly abbreviations: number;
  /** Holds code: not a unit of types. */
  readonly hasCode: boolean;
}

/** A unit with what its root entry says. */
export interface Unit extends UnitHeader {
  readonly sections: DwarfSections;
  readonly table: Abbreviations;
  readonly compDir: string;
  /** Base of the unit's range lists. */
  readonly base: number;
  /** The root's own code; forms as in the entry. */
  readonly lowPc: Readonly<Value>;
  readonly highPc: Readonly<Value>;
  readonly ranges: Readonly<Value>;
  /** Offset of its line program, -1 without one. */
  readonly lines: number;
  /** The entries of its functions are in another file (split DWARF). */
  readonly isSplit: boolean;
  readonly strOffsetsBase: number;
  readonly addrBase: number;
  readonly rnglistsBase: number;
}

const MAX_HEADER_BYTES = 48;
const MAX_UNIT_BYTES = 512 * 1024 * 1024;

/**
 * The header at `offset` (DWARF 5, 7.5.1; before version 5 the order of its fields was another).
 * @throws RangeError when it is damaged or of a version that is not known.
 */
export function readUnitHeader(sections: DwarfSections, offset: number): UnitHeader {
  const { info } = sections;
  const reader = new ByteReader(info.read(offset, Math.min(MAX_HEADER_BYTES, Math.max(0, info.size - offset))));
  const { length, offsetSize } = readInitialLength(reader);
  const end = offset + reader.at + length;
  if (end > info.size || length > MAX_UNIT_BYTES) throw new RangeError(`a unit of ${length} bytes`);
  const version = reader.u16();
  if (version < 2 || version > 5) throw new RangeError(`DWARF version ${version}`);
  const type = version >= 5 ? reader.u8() : UT.compile;
  const early = version >= 5 ? reader.u8() : 0;
  const abbreviations = reader.unsigned(offsetSize);
  const addressSize = version >= 5 ? early : reader.u8();
  if (addressSize !== 4 && addressSize !== 8) throw new RangeError(`addresses of ${addressSize} bytes`);
  if (type === UT.skeleton || type === UT.splitCompile) reader.skip(8);
  const root = offset + reader.at;
  const hasCode = type === UT.compile || type === UT.partial || type === UT.skeleton;
  return { offset, end, root, version, offsetSize, addressSize, abbreviations, hasCode };
}

/** Length of what follows, and how wide offsets are: 0xffffffff marks 64-bit DWARF. */
export function readInitialLength(reader: ByteReader): { length: number; offsetSize: number } {
  const length = reader.u32();
  if (length === 0xffffffff) return { length: reader.u64(), offsetSize: 8 };
  if (length >= 0xfffffff0) throw new RangeError('a reserved length');
  return { length, offsetSize: 4 };
}

/** @throws RangeError when its root entry is damaged. */
export function readUnit(sections: DwarfSections, header: UnitHeader): Unit {
  const table = readAbbreviations(sections.abbrev, header.abbreviations, header);
  const entry = newEntry();
  parseAt(sections.info, header.root, (bytes) => {
    const reader = new ByteReader(bytes);
    readEntry(reader, table.get(reader.uleb()), header, header.offset, entry);
  });
  const offsetsHeader = header.offsetSize === 8 ? 16 : 8;
  const unit = {
    ...header,
    sections,
    table,
    base: 0,
    compDir: '',
    lowPc: entry.lowPc,
    highPc: entry.highPc,
    ranges: entry.ranges,
    lines: entry.stmtList.form === 0 ? -1 : entry.stmtList.value,
    isSplit: entry.dwoName.form !== 0,
    // Without a base the unit's part comes first in the section, behind its header.
    strOffsetsBase: entry.strOffsetsBase < 0 ? offsetsHeader : entry.strOffsetsBase,
    addrBase: entry.addrBase < 0 ? offsetsHeader : entry.addrBase,
    rnglistsBase: entry.rnglistsBase < 0 ? offsetsHeader + 4 : entry.rnglistsBase,
  };
  return {
    ...unit,
    base: entry.lowPc.form === 0 ? 0 : readAddress(unit, entry.lowPc),
    compDir: readText(unit, entry.compDir) ?? '',
  };
}

/** The address of an attribute of class address: itself, or a row of .debug_addr. */
export function readAddress(unit: Unit, { form, value }: Readonly<Value>): number {
  return isAddressIndexForm(form) ? addressAt(unit, value) : value;
}

export function addressAt(unit: Unit, index: number): number {
  const bytes = unit.sections.addr.read(unit.addrBase + index * unit.addressSize, unit.addressSize);
  return new ByteReader(bytes).unsigned(unit.addressSize);
}

/** Text of an attribute; undefined when it has none, or when it lies in another file (see `isAlternateText`). */
export function readText(unit: Unit, { form, value, bytes }: Readonly<Value>): string | undefined {
  const { sections } = unit;
  if (form === FORM.string) return zeroTerminated(bytes, value);
  if (form === FORM.strp) return sections.str.text(value);
  if (form === FORM.lineStrp) return sections.lineStr.text(value);
  if (!isTextIndexForm(form)) return undefined;
  const row = sections.strOffsets.read(unit.strOffsetsBase + value * unit.offsetSize, unit.offsetSize);
  return sections.str.text(new ByteReader(row).unsigned(unit.offsetSize));
}
