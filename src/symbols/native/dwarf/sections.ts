import type { ElfFile } from '../elf.ts';
import type { SectionData } from '../section.ts';

/** The debug sections of one file; those it does not have are empty. */
export interface DwarfSections {
  readonly info: SectionData;
  readonly abbrev: SectionData;
  readonly line: SectionData;
  readonly str: SectionData;
  readonly lineStr: SectionData;
  readonly strOffsets: SectionData;
  readonly addr: SectionData;
  readonly aranges: SectionData;
  /** Up to DWARF 4, and of DWARF 5. */
  readonly ranges: SectionData;
  readonly rnglists: SectionData;
}

const EMPTY: SectionData = {
  size: 0,
  read(offset, length) {
    if (offset === 0 && length === 0) return new Uint8Array();
    throw new RangeError('a debug section that is not there');
  },
  text() {
    throw new RangeError('a debug section that is not there');
  },
};

export function dwarfSections(file: ElfFile): DwarfSections {
  const data = (name: string) => file.section(name)?.data ?? EMPTY;
  return {
    info: data('.debug_info'),
    abbrev: data('.debug_abbrev'),
    line: data('.debug_line'),
    str: data('.debug_str'),
    lineStr: data('.debug_line_str'),
    strOffsets: data('.debug_str_offsets'),
    addr: data('.debug_addr'),
    aranges: data('.debug_aranges'),
    ranges: data('.debug_ranges'),
    rnglists: data('.debug_rnglists'),
  };
}
