import { posix } from 'node:path';
import { crc32 } from 'node:zlib';
import { zeroTerminated } from '../bytes.ts';
import type { ImageFile } from '../images.ts';
import { attempt, type Note } from './attempt.ts';
import { type ElfFile, readElf } from './elf.ts';
import { ByteReader } from './reader.ts';

/** Finds a file by its path; undefined when it is not there or not readable. */
export type OpenFile = (path: string) => ImageFile | undefined;

const DEBUG_ROOT = '/usr/lib/debug';
const CRC_PIECE_BYTES = 1024 * 1024;

/**
 * The file that the debug information of `image` was moved to, when it is on this machine: by build id, or by the name
 * in .gnu_debuglink in the places where gdb looks ("Debugging with GDB", "Debugging Information in Separate Files").
 * Close it.
 */
export function openDebugFile(image: ElfFile, open: OpenFile, note: Note): ElfFile | undefined {
  const link = attempt(note, '.gnu_debuglink', () => readDebugLink(image));
  const folder = posix.dirname(image.path);
  const places = [
    ...buildIdPlaces(image.buildId),
    ...(link === undefined
      ? []
      : [`${folder}/`, `${folder}/.debug/`, `${DEBUG_ROOT}${folder}/`].map((at) => at + link.name)),
  ];
  for (const path of new Set(places)) {
    if (path === image.path) continue;
    const found = openIf(path, open, note, (elf, file) => belongsTo(elf, file, image, link?.crc));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The file that `file` shares debug information with (dwz), by .gnu_debugaltlink: name and build id. Close it. */
export function openAlternateFile(file: ElfFile, open: OpenFile, note: Note): ElfFile | undefined {
  const link = attempt(note, '.gnu_debugaltlink', () => readAlternateLink(file));
  if (link === undefined) return undefined;
  const { name, buildId } = link;
  const named = name.startsWith('/') ? name : posix.join(posix.dirname(file.path), name);
  for (const path of new Set([named, `${DEBUG_ROOT}/.dwz/${posix.basename(name)}`, ...buildIdPlaces(buildId)])) {
    const found = openIf(path, open, note, (elf) => elf.buildId === buildId);
    if (found !== undefined) return found;
  }
  note(`${name}, which holds debug information shared by several files, is not there`);
  return undefined;
}

function buildIdPlaces(buildId: string): string[] {
  return buildId.length < 4 ? [] : [`${DEBUG_ROOT}/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`];
}

function openIf(
  path: string,
  open: OpenFile,
  note: Note,
  isWanted: (elf: ElfFile, file: ImageFile) => boolean,
): ElfFile | undefined {
  const file = open(path);
  if (file === undefined) return undefined;
  const elf = attempt(note, path, () => readElf(file, path));
  if (elf !== undefined && attempt(note, path, () => isWanted(elf, file)) === true) return elf;
  if (elf !== undefined) note(`${path} belongs to another build`);
  file.close();
  return undefined;
}

/** The same build id says so at once; else the checksum of the whole file has to be the one in the link. */
function belongsTo(elf: ElfFile, file: ImageFile, image: ElfFile, crc: number | undefined): boolean {
  if (image.buildId !== '' && elf.buildId !== '') return elf.buildId === image.buildId;
  return crc !== undefined && checksum(file) === crc;
}

/** Name, zero, padding to 4 bytes, CRC-32 of the file. */
function readDebugLink(image: ElfFile): { name: string; crc: number } | undefined {
  const data = image.section('.gnu_debuglink')?.data;
  if (data === undefined || data.size > 4096) return undefined;
  const bytes = data.read(0, data.size);
  const name = zeroTerminated(bytes, 0);
  const at = Math.ceil((name.length + 1) / 4) * 4;
  return name === '' || name.includes('/') ? undefined : { name, crc: new ByteReader(bytes, at).u32() };
}

function readAlternateLink(file: ElfFile): { name: string; buildId: string } | undefined {
  const data = file.section('.gnu_debugaltlink')?.data;
  if (data === undefined || data.size > 4096) return undefined;
  const bytes = data.read(0, data.size);
  const end = bytes.indexOf(0);
  return { name: zeroTerminated(bytes, 0), buildId: Buffer.from(bytes.subarray(end + 1)).toString('hex') };
}

function checksum(file: ImageFile): number {
  let sum = 0;
  for (let offset = 0; offset < file.size; offset += CRC_PIECE_BYTES) {
    sum = crc32(file.read(offset, CRC_PIECE_BYTES), sum);
  }
  return sum >>> 0;
}
