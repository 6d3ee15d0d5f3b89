import { posix } from 'node:path';
import type { ByteReader } from '../reader.ts';
import { FORM } from './constants.ts';
import { type Encoding, readForm } from './forms.ts';
import { readText, type Unit } from './units.ts';

/** Head of a line program; the reader stands at the first instruction when it was read. */
export interface LineHeader {
  readonly version: number;
  readonly minInstruction: number;
  readonly lineBase: number;
  readonly lineRange: number;
  /** Operands of the standard opcodes, by opcode. */
  readonly operands: readonly number[];
  readonly files: LineFiles;
}

/** The files of a line program by the numbers that it and the unit's entries use. */
export interface LineFiles {
  /** As the compiler stated it, with its folder before it, without `.` and `..`; empty for a number that is not there. */
  path(file: number): string;
  /** MD5 of the file as it was compiled, in hex; empty where the compiler states none (only in version 5). */
  checksum(file: number): string;
  /** DW_LNE_define_file. */
  add(name: string, folder: number): void;
}

const MAX_FILES = 1_000_000;
const LNCT_PATH = 1;
const LNCT_DIRECTORY = 2;
const LNCT_MD5 = 5;
const MD5_BYTES = 16;

/**
 * Reads what comes behind the length of a line program (DWARF 5, 6.2.4; in versions 2 to 4 folders and files are plain
 * lists that start at 1).
 */
export function readLineHeader(reader: ByteReader, unit: Unit, offsetSize: number): LineHeader {
  const version = reader.u16();
  if (version < 2 || version > 5) throw new RangeError(`line program of version ${version}`);
  const addressSize = version >= 5 ? reader.u8() : unit.addressSize;
  if (version >= 5) reader.skip(1);
  const length = reader.unsigned(offsetSize);
  const program = reader.at + length;
  const minInstruction = reader.u8();
  if (version >= 4) reader.skip(1);
  reader.skip(1);
  const lineBase = (reader.u8() << 24) >> 24;
  const lineRange = reader.u8();
  if (lineRange === 0) throw new RangeError('a line program without a range of lines');
  const operands = [0];
  const opcodeBase = reader.u8();
  for (let opcode = 1; opcode < opcodeBase; opcode++) operands.push(reader.u8());
  const files =
    version >= 5 ? readFiles5(reader, unit, { version, offsetSize, addressSize }) : readFiles(reader, unit.compDir);
  reader.at = program;
  return { version, minInstruction, lineBase, lineRange, operands, files };
}

function readFiles(reader: ByteReader, compDir: string): LineFiles {
  const folders = [''];
  for (let name = reader.text(); name !== ''; name = reader.text()) folders.push(name);
  const names = [''];
  const folderOf = [0];
  for (let name = reader.text(); name !== ''; name = reader.text()) {
    names.push(name);
    folderOf.push(reader.uleb());
    reader.uleb();
    reader.uleb();
  }
  return lineFiles(compDir, folders, names, folderOf);
}

function readFiles5(reader: ByteReader, unit: Unit, encoding: Encoding): LineFiles {
  const folders = readEntries(reader, unit, encoding);
  const files = readEntries(reader, unit, encoding);
  // The first folder is the compiler's own; the unit states the same.
  const compDir = folders[0]?.path ?? unit.compDir;
  return lineFiles(
    compDir,
    folders.map((folder, i) => (i === 0 ? '' : folder.path)),
    files.map((file) => file.path),
    files.map((file) => file.folder),
    files.map((file) => file.checksum),
  );
}

/** A list whose entries have the fields that its format names: content type and form in turn. */
function readEntries(
  reader: ByteReader,
  unit: Unit,
  encoding: Encoding,
): { path: string; folder: number; checksum: string }[] {
  const format = Array.from({ length: reader.u8() }, () => ({ content: reader.uleb(), form: reader.uleb() }));
  const count = reader.uleb();
  if (count > MAX_FILES) throw new RangeError(`${count} files`);
  return Array.from({ length: format.length === 0 ? 0 : count }, () => {
    let path = '';
    let folder = 0;
    let checksum = '';
    for (const { content, form } of format) {
      const value = readForm(reader, form, encoding);
      if (content === LNCT_PATH) path = readText(unit, { form, value, bytes: reader.bytes }) ?? '';
      if (content === LNCT_DIRECTORY) folder = value;
      if (content === LNCT_MD5 && form === FORM.data16) checksum = hex(reader.bytes.subarray(value, value + MD5_BYTES));
    }
    return { path, folder, checksum };
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Folders are relative to `compDir`; an empty one is `compDir` itself. */
function lineFiles(
  compDir: string,
  folders: readonly string[],
  names: string[],
  folderOf: number[],
  checksums: readonly string[] = [],
): LineFiles {
  const paths: string[] = [];
  return {
    path(file) {
      if (names[file] === undefined || names[file] === '') return '';
      paths[file] ??= posix.normalize(joined(folders[folderOf[file]] ?? '', compDir, names[file]));
      return paths[file];
    },
    checksum: (file) => checksums[file] ?? '',
    add(name, folder) {
      names.push(name);
      folderOf.push(folder);
    },
  };
}

function joined(folder: string, compDir: string, name: string): string {
  if (name.startsWith('/')) return name;
  const path = folder === '' ? name : `${folder}/${name}`;
  return path.startsWith('/') || compDir === '' ? path : `${compDir}/${path}`;
}
