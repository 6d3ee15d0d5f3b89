import { attempt, type Note } from '../attempt.ts';
import type { ElfFile } from '../elf.ts';
import { type Call, type CallTree, readCalls } from './calls.ts';
import { type EntryName, readEntryName } from './entry-names.ts';
import { type LineTable, readLines } from './lines.ts';
import { dwarfSections } from './sections.ts';
import { indexUnits } from './unit-index.ts';
import { readUnit, readUnitHeader, type Unit, type UnitHeader } from './units.ts';

/** A frame as the debug information has it. */
export interface DwarfFrame extends EntryName {
  /** First address of the function where it stands on its own, NaN when it does not or that is not known. */
  readonly start: number;
  readonly inlined: boolean;
  /** Empty and 0 when not known. */
  readonly file: string;
  /** MD5 of the file, in hex; empty where that is not stated. */
  readonly checksum: string;
  readonly line: number;
}

/** The debug information of one file. */
export interface Dwarf {
  /** Frames at `address`, innermost first; one without a name where only the line is known. Empty when nothing is. */
  find(address: number): readonly DwarfFrame[];
  /** For another file that refers to entries and strings of this one. */
  nameOf(offset: number): EntryName;
  text(offset: number): string;
}

/** A unit that was read. */
interface LoadedUnit {
  readonly unit: Unit;
  readonly calls: CallTree | undefined;
  readonly lines: LineTable | undefined;
}

/** What units that were read may take; the one in use is always kept. */
const MAX_UNIT_BYTES = 64 * 1024 * 1024;
const MAX_NAMES = 50_000;

const NO_FILE = { file: '', checksum: '' };
const NO_NAME: EntryName = { linkageName: '', name: '', declLine: 0, origin: -1 };

/**
 * DWARF 2 to 5 of a file ("DWARF Debugging Information Format", dwarfstd.org). Units are read when an address of theirs
 * is asked for, so addresses should come in ascending order.
 * @param alternate the file that .gnu_debugaltlink names
 * @param note is told what is damaged or cannot be used
 */
export function openDwarf(file: ElfFile, alternate: Dwarf | undefined, note: Note): Dwarf {
  const sections = dwarfSections(file);
  const index = indexUnits(sections, file.isCode, note);
  const loaded = new Map<number, LoadedUnit>();
  const names = new Map<number, EntryName>();
  let loadedBytes = 0;
  /** Where the address lies that is looked up: nearly all references stay within a unit. */
  let current: Unit | undefined;

  const load = (offset: number): LoadedUnit | undefined => {
    const known = loaded.get(offset);
    if (known !== undefined) {
      // Most recently used last.
      loaded.delete(offset);
      loaded.set(offset, known);
      return known;
    }
    const unit = attempt(note, 'a unit of .debug_info', () => readUnit(sections, readUnitHeader(sections, offset)));
    if (unit === undefined) return undefined;
    if (unit.isSplit) note('functions inlined into others are in .dwo files, which are not read');
    const calls = attempt(note, 'a unit of .debug_info', () => readCalls(unit, file.isCode));
    const lines = unit.lines < 0 ? undefined : attempt(note, '.debug_line', () => readLines(unit, file.isCode));
    const result = { unit, calls, lines };
    loaded.set(offset, result);
    loadedBytes += bytesOf(result);
    for (const [oldest, old] of loaded) {
      if (loadedBytes <= MAX_UNIT_BYTES || loaded.size === 1) break;
      loaded.delete(oldest);
      loadedBytes -= bytesOf(old);
    }
    return result;
  };

  const space = {
    alternate,
    unitAround(offset: number) {
      if (current !== undefined && offset >= current.root && offset < current.end) return current;
      const header = index.unitAround(offset);
      return header && load(header.offset)?.unit;
    },
    scopesOf: (unit: UnitHeader, offset: number) => load(unit.offset)?.calls?.scopesOf(offset) ?? [],
  };

  const nameOf = (offset: number): EntryName => {
    let name = names.get(offset);
    if (name === undefined) {
      name = attempt(note, 'an entry of .debug_info', () => readEntryName(space, offset)) ?? NO_NAME;
      if (names.size >= MAX_NAMES) names.clear();
      names.set(offset, name);
    }
    return name;
  };

  /** From the innermost frame, whose line is in the line table, outwards: a call states the line it was made from. */
  const framesOf = ({ calls, lines }: LoadedUnit, address: number): DwarfFrame[] => {
    const place = lines?.find(address);
    const around = calls?.find(address) ?? [];
    let line = place?.line ?? 0;
    let number = place?.file ?? 0;
    const fileAt = () =>
      line === 0 || lines === undefined
        ? NO_FILE
        : { file: lines.files.path(number), checksum: lines.files.checksum(number) };
    const frames: DwarfFrame[] = [];
    for (const call of around.toReversed()) {
      const name = nameOf(call.entry);
      frames.push({
        ...name,
        start: startOf(call, name, calls!),
        inlined: Number.isNaN(call.start),
        ...fileAt(),
        line,
      });
      line = call.callLine;
      number = call.callFile;
    }
    if (frames.length === 0 && line > 0)
      frames.push({ ...NO_NAME, start: Number.NaN, inlined: false, ...fileAt(), line });
    return frames;
  };

  return {
    nameOf,
    text: (offset) => sections.str.text(offset),
    find(address) {
      const offset = index.unitOf(address);
      const unit = offset < 0 ? undefined : load(offset);
      current = unit?.unit;
      return unit === undefined ? [] : framesOf(unit, address);
    },
  };
}

const bytesOf = ({ calls, lines }: LoadedUnit): number => 4096 + (calls?.bytes ?? 0) + (lines?.bytes ?? 0);

function startOf(call: Call, name: EntryName, calls: CallTree): number {
  if (!Number.isNaN(call.start)) return call.start;
  return name.origin < 0 ? Number.NaN : (calls.startOf(name.origin) ?? Number.NaN);
}
