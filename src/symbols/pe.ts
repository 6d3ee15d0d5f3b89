import { TraceError } from '../trace/errors.ts';
import { checkedRead, guidText, viewOf, zeroTerminated } from './bytes.ts';
import type { ImageFile } from './images.ts';

/** A part of an image by its relative virtual address. */
export interface Directory {
  readonly rva: number;
  /** Bytes. */
  readonly size: number;
}

/** Headers of a managed PE image. */
export interface PeImage {
  readonly path: string;
  /** COFF machine with the operating system's mark taken out: 0x8664 is x64, 0xaa64 arm64. */
  readonly machine: number;
  /** Bytes of address space the image takes when it is mapped. */
  readonly imageSize: number;
  /** ECMA-335 metadata and the ReadyToRun header; undefined in an image without a CLI header, or without native code. */
  readonly metadata: Directory | undefined;
  readonly nativeHeader: Directory | undefined;
  /** Identity of the PDB that belongs to it. */
  readonly codeView: { readonly guid: string; readonly age: number; readonly path: string } | undefined;
  /** File offset and size of an embedded portable PDB (the debug directory's data of type 17). */
  readonly embeddedPdb: { readonly offset: number; readonly size: number } | undefined;
  /**
   * The bytes at `rva`, all `size` of them.
   * @throws TraceError when they do not lie within one section of the file.
   */
  read(rva: number, size: number): Uint8Array;
}

const HEADER_BYTES = 4096;
const MAX_SECTIONS = 96;
const MAX_DEBUG_ENTRIES = 64;
const MAX_DIRECTORY_BYTES = 256 * 1024 * 1024;

/** ReadyToRun images mark the operating system in the machine: machine XOR this (dotnet/runtime, pedecoder.h). */
const OS_MARKS = [0, 0x7b79, 0x4644, 0xadc4, 0x1993, 0x1992];
const MACHINES = [0x8664, 0xaa64, 0x14c, 0x1c4, 0x6264, 0x5064];

const DEBUG_CODEVIEW = 2;
const DEBUG_EMBEDDED_PDB = 17;

interface Section {
  readonly rva: number;
  readonly size: number;
  readonly fileOffset: number;
}

/**
 * Reads the headers of a PE/COFF image (Microsoft's "PE Format"; CLI header: ECMA-335 II.25.3.3).
 * @throws TraceError when the file is not such an image or is damaged.
 */
export function readPe(file: ImageFile, path: string): PeImage {
  return checkedRead(path, () => {
    const head = viewOf(file.read(0, HEADER_BYTES));
    if (head.byteLength < 64 || head.getUint16(0, true) !== 0x5a4d) throw new TraceError(`${path} is not a PE image`);
    const coff = head.getUint32(60, true);
    if (head.getUint32(coff, true) !== 0x4550) throw new TraceError(`${path} is not a PE image`);
    const optional = coff + 24;
    const is64 = head.getUint16(optional, true) === 0x20b;
    const directories = optional + (is64 ? 112 : 96);
    const directoryCount = head.getUint32(directories - 4, true);
    const directory = (index: number): Directory | undefined => {
      if (index >= directoryCount) return undefined;
      const at = directories + index * 8;
      return presentDirectory(head.getUint32(at, true), head.getUint32(at + 4, true));
    };
    const sections = readSections(head, optional + head.getUint16(coff + 20, true), head.getUint16(coff + 6, true));
    const read = (rva: number, size: number) => readAt(file, path, sections, rva, size);
    const cli = directory(14);
    const cliHeader = cli && viewOf(read(cli.rva, 72));
    return {
      path,
      machine: plainMachine(head.getUint16(coff + 4, true)),
      imageSize: head.getUint32(optional + 56, true),
      metadata: cliHeader && presentDirectory(cliHeader.getUint32(8, true), cliHeader.getUint32(12, true)),
      nativeHeader: cliHeader && presentDirectory(cliHeader.getUint32(64, true), cliHeader.getUint32(68, true)),
      ...readDebugDirectory(file, directory(6), read),
      read,
    };
  });
}

const presentDirectory = (rva: number, size: number): Directory | undefined =>
  rva === 0 || size === 0 ? undefined : { rva, size };

function plainMachine(machine: number): number {
  const mark = OS_MARKS.find((one) => MACHINES.includes(machine ^ one));
  return mark === undefined ? machine : machine ^ mark;
}

function readSections(head: DataView, at: number, count: number): Section[] {
  if (count > MAX_SECTIONS) throw new RangeError(`${count} sections`);
  return Array.from({ length: count }, (_, i) => {
    const row = at + i * 40;
    return {
      rva: head.getUint32(row + 12, true),
      size: head.getUint32(row + 16, true),
      fileOffset: head.getUint32(row + 20, true),
    };
  });
}

function readAt(file: ImageFile, path: string, sections: readonly Section[], rva: number, size: number): Uint8Array {
  const section = sections.find((one) => rva >= one.rva && rva - one.rva < one.size);
  if (section === undefined || size > section.size - (rva - section.rva) || size > MAX_DIRECTORY_BYTES) {
    throw new TraceError(`${path} is damaged (${size} bytes at RVA 0x${rva.toString(16)} are in no section)`);
  }
  const bytes = file.read(section.fileOffset + rva - section.rva, size);
  if (bytes.length < size) throw new TraceError(`${path} is cut off`);
  return bytes;
}

function readDebugDirectory(
  file: ImageFile,
  directory: Directory | undefined,
  read: PeImage['read'],
): Pick<PeImage, 'codeView' | 'embeddedPdb'> {
  let codeView: PeImage['codeView'];
  let embeddedPdb: PeImage['embeddedPdb'];
  const count = Math.min(MAX_DEBUG_ENTRIES, Math.floor((directory?.size ?? 0) / 28));
  const entries = directory && viewOf(read(directory.rva, count * 28));
  for (let i = 0; entries !== undefined && i < count; i++) {
    const type = entries.getUint32(i * 28 + 12, true);
    const size = entries.getUint32(i * 28 + 16, true);
    const offset = entries.getUint32(i * 28 + 24, true);
    if (type === DEBUG_EMBEDDED_PDB) embeddedPdb = { offset, size };
    // Native code may have a PDB of its own, "….ni.pdb".
    if (type === DEBUG_CODEVIEW && (codeView === undefined || codeView.path.endsWith('.ni.pdb'))) {
      codeView = readCodeView(file.read(offset, Math.min(size, 4096))) ?? codeView;
    }
  }
  return { codeView, embeddedPdb };
}

/** The RSDS record: signature, GUID, age, path of the PDB as the compiler wrote it. */
function readCodeView(record: Uint8Array): PeImage['codeView'] {
  const view = viewOf(record);
  if (record.length < 24 || view.getUint32(0, true) !== 0x53445352) return undefined;
  return { guid: guidText(record.subarray(4, 20)), age: view.getUint32(20, true), path: zeroTerminated(record, 24) };
}
