import type { ImageFile } from '../images.ts';
import { attempt, type Note } from './attempt.ts';
import { type OpenFile, openAlternateFile, openDebugFile } from './debug-files.ts';
import { demangle } from './demangle.ts';
import { type Dwarf, type DwarfFrame, openDwarf } from './dwarf/dwarf.ts';
import { type ElfFile, readElf } from './elf.ts';
import { type ElfSymbols, readElfSymbols } from './elf-symbols.ts';

/** A function that was running at an address. */
interface NativeFrame {
  /** Readable, with arguments where the linker knows them; empty where only the line is known. */
  readonly function: string;
  /** Absolute path as the compiler stated it; empty when not known. */
  readonly file: string;
  /** MD5 of the file, in hex; empty where the compiler states none. */
  readonly checksum: string;
  /** 1-based; 0 when not known. */
  readonly line: number;
  /** Line of its declaration, 0 when not known. */
  readonly declLine: number;
  /** Compiled in place into the next frame of the list. */
  readonly inlined: boolean;
}

/** Names and lines of one ELF image. */
export interface NativeSymbols {
  /** Of the file, in hex; empty without one. */
  readonly buildId: string;
  /** Why the image could not be used at all; empty when it was. */
  readonly problem: string;
  /** What is damaged or missing, one line each, `problem` first; grows as more is read. */
  readonly notes: readonly string[];
  /** Files that names and lines come from: the image, and its separate debug file. */
  readonly sources: readonly string[];
  /**
   * Frames at an address of the file's own (address in memory − bias), innermost first; empty when nothing is known.
   * For a return address ask for the one before it, where the call is. Fastest in ascending order.
   */
  frames(offset: number): readonly NativeFrame[];
  /** Nothing can be asked after it. */
  close(): void;
}

/**
 * Opens the symbols of an image; `close` it. Damage and what is missing never throw: `problem` and `notes` say it.
 * @param expectedBuildId of the image that ran, in hex. A file with another one is not used, for its names would be
 *   wrong; where it is empty (built without one) the file is taken unchecked.
 * @param open finds files as the process sees them: the image, and its debug information in files of its own
 */
export function openNativeSymbols(path: string, expectedBuildId: string, open: OpenFile): NativeSymbols {
  const notes = new Set<string>();
  const problems: string[] = [];
  const file = open(path);
  if (file === undefined) problems.push(`${path} is not there or not readable`);
  const image =
    file &&
    attempt(
      (text) => problems.push(text),
      path,
      () => readElf(file, path),
    );
  if (image !== undefined && expectedBuildId !== '' && image.buildId !== expectedBuildId.toLowerCase()) {
    problems.push(`${path} was built again since the process loaded it`);
  }
  const note: Note = (text) => notes.add(text);
  const opened = image !== undefined && problems.length === 0 ? openSources(image, open, note) : undefined;
  return {
    buildId: image?.buildId ?? '',
    problem: problems.join('; '),
    get notes() {
      return problems.concat([...notes]);
    },
    sources: opened?.sources ?? [],
    frames: (offset) => (opened !== undefined && image!.isCode(offset) ? framesAt(opened, offset, note) : []),
    close: () => closeAll(file, opened),
  };
}

interface Sources {
  readonly symbols: ElfSymbols | undefined;
  readonly dwarf: Dwarf | undefined;
  readonly sources: readonly string[];
  readonly opened: readonly ElfFile[];
}

function openSources(image: ElfFile, open: OpenFile, note: Note): Sources {
  const has = (file: ElfFile, section: string) => (file.section(section)?.data.size ?? 0) > 0;
  const isWhole = has(image, '.debug_info') && has(image, '.symtab');
  const debug = isWhole ? undefined : openDebugFile(image, open, note);
  const elves = debug === undefined ? [image] : [image, debug];
  const withDwarf = elves.find((elf) => has(elf, '.debug_info'));
  if (image.section('.gnu_debugdata') !== undefined && !elves.some((elf) => has(elf, '.symtab'))) {
    note('its small symbol table (.gnu_debugdata) is packed with xz, which is not read');
  }
  const symbols = attempt(note, 'its symbol table', () => readElfSymbols(elves));
  const alternate = withDwarf && openAlternateFile(withDwarf, open, note);
  const opened = [debug, alternate].filter((elf) => elf !== undefined);
  const shared = alternate && attempt(note, alternate.path, () => openDwarf(alternate, undefined, note));
  const dwarf = withDwarf && attempt(note, withDwarf.path, () => openDwarf(withDwarf, shared, note));
  return { symbols, dwarf, sources: elves.map((elf) => elf.path), opened };
}

function framesAt({ symbols, dwarf }: Sources, offset: number, note: Note): NativeFrame[] {
  const symbolAt = (address: number) => attempt(note, 'its symbol table', () => symbols?.find(address));
  const frames = (dwarf && attempt(note, 'its debug information', () => dwarf.find(offset))) ?? [];
  if (frames.length === 0) {
    const symbol = symbolAt(offset);
    return symbol === undefined ? [] : [{ ...NO_PLACE, function: demangle(symbol.name) }];
  }
  const named = frames.map((frame) => ({
    function: functionName(frame, offset, symbolAt),
    file: frame.file,
    checksum: frame.checksum,
    line: frame.line,
    declLine: frame.declLine,
    inlined: frame.inlined,
  }));
  return named.filter((frame) => frame.function !== '' || frame.line > 0);
}

const NO_PLACE = { file: '', checksum: '', line: 0, declLine: 0, inlined: false };

/**
 * The mangled name has the arguments. Functions of one file have it in the symbol table only, C functions there have
 * the name that callers know (`malloc` for `__libc_malloc`); the compiler's clones (`f.part.0`) are still `f`.
 */
function functionName(frame: DwarfFrame, offset: number, symbolAt: (address: number) => SymbolAt): string {
  if (frame.linkageName !== '') return demangle(frame.linkageName);
  const at = Number.isNaN(frame.start) ? undefined : symbolAt(frame.start);
  if (at !== undefined && at.start === frame.start && !(frame.name !== '' && at.name.includes('.'))) {
    return demangle(at.name);
  }
  if (frame.name !== '' || frame.inlined) return frame.name;
  const around = symbolAt(offset);
  return around === undefined ? '' : demangle(around.name);
}

type SymbolAt = { readonly name: string; readonly start: number } | undefined;

function closeAll(file: ImageFile | undefined, opened: Sources | undefined): void {
  file?.close();
  for (const elf of opened?.opened ?? []) elf.close();
}
