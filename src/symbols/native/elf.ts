import { inflateSync } from 'node:zlib';
import { messageOf, TraceError } from '../../trace/errors.ts';
import { checkedRead, zeroTerminated } from '../bytes.ts';
import type { ImageFile } from '../images.ts';
import { ByteReader } from './reader.ts';
import { fileSection, type SectionData, unpackedSection } from './section.ts';

/** A section as its header states it. Addresses are the file's own, before the module is moved to where it is loaded. */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  /** Bytes, in the file as they lie there. */
  readonly size: number;
  /** Index of the section this one refers to: a symbol table's strings, relocations' symbols. */
  readonly link: number;
  /** What lies in it; empty without bytes in the file (SHT_NOBITS), unpacked when it is compressed. */
  readonly data: SectionData;
}

/** Headers of an ELF file; contents are read when they are asked for. */
export interface ElfFile {
  readonly path: string;
  /** e_machine: 62 is x64, 183 arm64, 3 x86. */
  readonly machine: number;
  readonly is64: boolean;
  readonly sections: readonly ElfSection[];
  /** In lower-case hex; empty without one. */
  readonly buildId: string;
  section(name: string): ElfSection | undefined;
  /** True where code can lie: debug information of functions the linker dropped points elsewhere. */
  isCode(address: number): boolean;
  close(): void;
}

/** e_machine */
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

export const SHT_SYMTAB = 2;
export const SHT_RELA = 4;
const SHT_NOTE = 7;
const SHT_NOBITS = 8;
export const SHT_DYNSYM = 11;
const SHF_EXECINSTR = 4;
const SHF_COMPRESSED = 0x800;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;
const NT_GNU_BUILD_ID = 3;

const MAX_SECTIONS = 65_536;
const MAX_NOTE_BYTES = 64 * 1024;
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly fileSize: number;
  readonly address: number;
  readonly size: number;
}

/**
 * Reads the headers of a little-endian ELF file ("System V ABI", gABI chapters 4 and 5; elf.h).
 * @throws TraceError when it is none, or is damaged; the file stays open then.
 */
export function readElf(file: ImageFile, path: string): ElfFile {
  return checkedRead(path, () => {
    const header = readHeader(file, path);
    const segments = readSegments(file, header);
    const sections = readSections(file, header, path);
    const byName = new Map<string, ElfSection>();
    for (const section of sections) if (!byName.has(section.name)) byName.set(section.name, section);
    const code = codeRanges(sections, segments);
    return {
      path,
      machine: header.machine,
      is64: header.is64,
      sections,
      buildId: readBuildId(file, sections, segments),
      section: (name) => byName.get(name),
      isCode: (address) => code.some((one) => address >= one.address && address < one.address + one.size),
      close: () => file.close(),
    };
  });
}

interface Header {
  readonly is64: boolean;
  readonly machine: number;
  readonly segments: { readonly offset: number; readonly entry: number; readonly count: number };
  readonly sections: {
    readonly offset: number;
    readonly entry: number;
    readonly count: number;
    readonly names: number;
  };
}

function readHeader(file: ImageFile, path: string): Header {
  const bytes = file.read(0, 64);
  if (bytes.length < 52 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    throw new TraceError(`${path} is not an ELF file`);
  }
  const is64 = bytes[4] === 2;
  if ((!is64 && bytes[4] !== 1) || bytes[5] !== 1) throw new TraceError(`${path} is not a little-endian ELF file`);
  const word = is64 ? 8 : 4;
  const reader = new ByteReader(bytes, 18);
  const machine = reader.u16();
  reader.skip(4 + word);
  const segmentOffset = reader.unsigned(word);
  const sectionOffset = reader.unsigned(word);
  reader.skip(6);
  const segments = { offset: segmentOffset, entry: reader.u16(), count: reader.u16() };
  const sections = { offset: sectionOffset, entry: reader.u16(), count: reader.u16(), names: reader.u16() };
  return { is64, machine, segments, sections };
}

function readSegments(file: ImageFile, { is64, segments }: Header): Segment[] {
  const { offset, entry, count } = segments;
  if (count > 0) expectSize(entry, is64 ? 56 : 32);
  const bytes = file.read(offset, entry * count);
  return Array.from({ length: count }, (_, i) => {
    const reader = new ByteReader(bytes, i * entry);
    const type = reader.u32();
    const early = is64 ? reader.u32() : 0;
    const word = is64 ? 8 : 4;
    const at = reader.unsigned(word);
    const address = reader.unsigned(word);
    reader.skip(word);
    const fileSize = reader.unsigned(word);
    const size = reader.unsigned(word);
    return { type, flags: is64 ? early : reader.u32(), offset: at, fileSize, address, size };
  });
}

function readSections(file: ImageFile, header: Header, path: string): ElfSection[] {
  const { is64, sections } = header;
  const { offset, entry } = sections;
  if (offset === 0) return [];
  expectSize(entry, is64 ? 64 : 40);
  // More than 65,279 sections: the count is the size of the first, the names' index its link.
  const first = sectionHeader(new ByteReader(file.read(offset, entry)), is64);
  const count = sections.count || first.size;
  if (count > MAX_SECTIONS) throw new RangeError(`${count} sections`);
  const bytes = file.read(offset, entry * count);
  const headers = Array.from({ length: count }, (_, i) => sectionHeader(new ByteReader(bytes, i * entry), is64));
  const namesIndex = sections.names === 0xffff ? first.link : sections.names;
  const nameSection = headers[namesIndex];
  const names = nameSection ? file.read(nameSection.offset, Math.min(nameSection.size, 16 * 1024 * 1024)) : undefined;
  return headers.map((one) => ({
    ...one,
    name: names === undefined ? '' : zeroTerminated(names, one.name),
    data: sectionContents(file, one, is64, path),
  }));
}

function expectSize(entry: number, expected: number): void {
  if (entry !== expected) throw new RangeError(`headers of ${entry} bytes`);
}

type SectionHeader = Omit<ElfSection, 'name' | 'data'> & { readonly name: number };

function sectionHeader(reader: ByteReader, is64: boolean): SectionHeader {
  const word = is64 ? 8 : 4;
  const name = reader.u32();
  const type = reader.u32();
  const flags = reader.unsigned(word);
  const address = reader.unsigned(word);
  const offset = reader.unsigned(word);
  const size = reader.unsigned(word);
  return { name, type, flags, address, offset, size, link: reader.u32() };
}

function sectionContents(file: ImageFile, section: SectionHeader, is64: boolean, path: string): SectionData {
  if (section.type === SHT_NOBITS) return fileSection(file, 0, 0);
  const stored = fileSection(file, section.offset, section.size);
  // Flags beyond 2^31 belong to the processor; the bit is below.
  if ((section.flags & SHF_COMPRESSED) === 0) return stored;
  return compressedSection(stored, is64, path);
}

/** SHF_COMPRESSED: an Elf_Chdr (type, size, alignment), then the packed bytes. */
function compressedSection(stored: SectionData, is64: boolean, path: string): SectionData {
  const headerBytes = is64 ? 24 : 12;
  if (stored.size < headerBytes) return unpackedSection(0, () => new Uint8Array());
  const reader = new ByteReader(stored.read(0, headerBytes));
  const method = reader.u32();
  if (is64) reader.skip(4);
  const size = reader.unsigned(is64 ? 8 : 4);
  return unpackedSection(size, () => {
    if (method !== 1) throw new TraceError(`${path} packs its debug sections in a way that is not read (zstd)`);
    if (size > MAX_UNPACKED_BYTES) throw new TraceError(`${path} has a packed debug section of ${size} bytes`);
    try {
      return inflateSync(stored.read(headerBytes, stored.size - headerBytes), { maxOutputLength: Math.max(1, size) });
    } catch (error) {
      throw new TraceError(`${path} is damaged (packed section: ${messageOf(error)})`);
    }
  });
}

/** Sections with code; without section headers, segments. */
function codeRanges(sections: readonly ElfSection[], segments: readonly Segment[]) {
  const code = sections.filter((section) => (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0);
  return code.length > 0 ? code : segments.filter((one) => one.type === PT_LOAD && (one.flags & PF_X) !== 0);
}

function readBuildId(file: ImageFile, sections: readonly ElfSection[], segments: readonly Segment[]): string {
  // In a file of debug information alone the segments point to bytes that are not there.
  const bySection = sections.filter((one) => one.type === SHT_NOTE).map((one) => ({ at: one.offset, size: one.size }));
  const bySegment = segments
    .filter((one) => one.type === PT_NOTE)
    .map((one) => ({ at: one.offset, size: one.fileSize }));
  for (const { at, size } of [...bySection, ...bySegment]) {
    const id = buildIdIn(file.read(at, Math.min(size, MAX_NOTE_BYTES)));
    if (id !== '') return id;
  }
  return '';
}

/** Notes: sizes of name and content, type, name, content, each padded to 4 bytes. */
function buildIdIn(bytes: Uint8Array): string {
  const reader = new ByteReader(bytes);
  while (reader.at + 16 <= bytes.length) {
    const nameSize = reader.u32();
    const size = reader.u32();
    const type = reader.u32();
    const isGnu = nameSize === 4 && reader.u32() === 0x00554e47;
    const start = reader.at + (isGnu ? 0 : padded(nameSize));
    if (start + size > bytes.length) return '';
    if (isGnu && type === NT_GNU_BUILD_ID) return Buffer.from(bytes.subarray(start, start + size)).toString('hex');
    reader.at = start + padded(size);
  }
  return '';
}

const padded = (size: number) => Math.ceil(size / 4) * 4;
