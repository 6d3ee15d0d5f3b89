import { float64Column, uint32Column } from '../../trace/columns.ts';
import { lastAtMost } from '../search.ts';
import { type ElfFile, type ElfSection, SHT_DYNSYM, SHT_SYMTAB } from './elf.ts';
import { readPlt } from './plt.ts';
import { indexRanges } from './range-index.ts';
import { ByteReader } from './reader.ts';

/** A function as the linker knows it: mangled name, [start, end) in the file's own addresses. */
interface ElfSymbol {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The functions of a module by its symbol tables. */
export interface ElfSymbols {
  /** The function around `address`; undefined in a gap, for a symbol says nothing of what lies behind its end. */
  find(address: number): ElfSymbol | undefined;
}

const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_GLOBAL = 1;
const ROWS_PER_READ = 16_384;
const MAX_SYMBOLS = 8_000_000;
/** Names of one address that are compared. */
const MAX_ALIASES = 32;

/**
 * The functions in the first of `files` (an image, its file of debug information) that has a full table, else those that the
 * image exports; and the entries of its procedure linkage table as `name@plt`.
 * @throws TraceError or RangeError when they are damaged.
 */
export function readElfSymbols(files: readonly ElfFile[]): ElfSymbols {
  const table = findTable(files, SHT_SYMTAB) ?? findTable(files, SHT_DYNSYM);
  const functions = table === undefined ? undefined : readTable(table.file, table.section);
  const linkage = files[0] && readPlt(files[0]);
  return { find: (address) => functions?.find(address) ?? linkage?.find(address) };
}

/**
 * Names of symbols that begin at one of `addresses` and match `pattern`, from the first of `files` that has a full table.
 * @throws TraceError or RangeError when it is damaged.
 */
export function namesAt(
  files: readonly ElfFile[],
  addresses: ReadonlySet<number>,
  pattern: RegExp,
): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const table = findTable(files, SHT_SYMTAB);
  const strings = table?.file.sections[table.section.link]?.data;
  if (table === undefined || strings === undefined) return found;
  eachSymbol(table.file, table.section, ({ name, value, section }) => {
    if (section === 0 || !addresses.has(value)) return;
    const text = strings.text(name);
    if (pattern.test(text)) found.set(value, text);
  });
  return found;
}

function findTable(files: readonly ElfFile[], type: number): { file: ElfFile; section: ElfSection } | undefined {
  for (const file of files) {
    const section = file.sections.find((one) => one.type === type && one.data.size > 0);
    if (section !== undefined) return { file, section };
  }
  return undefined;
}

/** The rows of a symbol table that are functions, ascending by address. */
function readTable(file: ElfFile, section: ElfSection): ElfSymbols {
  const strings = file.sections[section.link]?.data;
  if (strings === undefined) throw new RangeError('a symbol table without its strings');
  const rows = functionRows(file, section);
  const order = Uint32Array.from(rows.start, (_, i) => i).sort((a, b) => rows.start[a] - rows.start[b] || a - b);
  const start = Float64Array.from(order, (row) => rows.start[row]);
  const end = Float64Array.from(order, (row) => rows.end[row]);
  const ranges = indexRanges(start, end);
  const nameAt = (i: number) => strings.text(rows.name[order[i]]).replace(/@.*/s, '');
  return {
    find(address) {
      const found = ranges.find(address);
      if (found < 0) return undefined;
      let best = { name: nameAt(found), isGlobal: rows.isGlobal[order[found]] };
      for (let i = found - 1; i >= 0 && i > found - MAX_ALIASES && start[i] === start[found]; i--) {
        if (end[i] <= address) continue;
        const other = { name: nameAt(i), isGlobal: rows.isGlobal[order[i]] };
        if (aliasRank(other) >= aliasRank(best)) best = other;
      }
      return { name: best.name, start: start[found], end: end[found] };
    },
  };
}

/** `malloc` rather than its aliases `__libc_malloc` and `__malloc`; what is exported rather than what is not. */
function aliasRank({ name, isGlobal }: { name: string; isGlobal: number }): number {
  const underscores = /^(_Z|_R)/.test(name) ? 0 : name.length - name.replace(/^_+/, '').length;
  return isGlobal - 2 * underscores;
}

function functionRows(file: ElfFile, section: ElfSection) {
  const name = uint32Column();
  const start = float64Column();
  const end = float64Column();
  const isGlobal = uint32Column();
  // What a full table says of every symbol's section and start, to find where those without a size end.
  const sizeless = section.type === SHT_SYMTAB ? new SizelessFunctions() : undefined;
  eachSymbol(file, section, (symbol) => {
    const { type, value, size } = symbol;
    if (symbol.section === 0 || !file.isCode(value)) return;
    sizeless?.note(symbol);
    const isFunction = type === STT_FUNC || type === STT_GNU_IFUNC || type === STT_NOTYPE;
    if (!isFunction || size === 0) return;
    name.push(symbol.name);
    start.push(value);
    end.push(value + size);
    isGlobal.push(symbol.binding === STB_GLOBAL ? 1 : 0);
  });
  for (const one of sizeless?.finish() ?? []) {
    name.push(one.name);
    start.push(one.value);
    end.push(one.end);
    isGlobal.push(one.binding === STB_GLOBAL ? 1 : 0);
  }
  return { name: name.finish(), start: start.finish(), end: end.finish(), isGlobal: isGlobal.finish() };
}

interface RawSymbol {
  readonly name: number;
  readonly type: number;
  readonly binding: number;
  readonly section: number;
  readonly value: number;
  readonly size: number;
}

/**
 * Functions without a size (assembler code) reach up to the next symbol of their section, and are not known when none
 * follows. Only in a table that has all symbols: between two exported ones there is other code.
 */
class SizelessFunctions {
  private readonly symbols: RawSymbol[] = [];
  private readonly startsBySection = new Map<number, number[]>();

  note(symbol: RawSymbol): void {
    const starts = this.startsBySection.get(symbol.section);
    if (starts === undefined) this.startsBySection.set(symbol.section, [symbol.value]);
    else starts.push(symbol.value);
    if (symbol.size === 0 && symbol.type === STT_FUNC) this.symbols.push(symbol);
  }

  finish(): (RawSymbol & { readonly end: number })[] {
    if (this.symbols.length === 0) return [];
    for (const starts of this.startsBySection.values()) starts.sort((a, b) => a - b);
    return this.symbols.flatMap((symbol) => {
      const starts = this.startsBySection.get(symbol.section)!;
      const end = starts[lastAtMost(starts, symbol.value) + 1];
      return end === undefined ? [] : [{ ...symbol, end }];
    });
  }
}

function eachSymbol(file: ElfFile, section: ElfSection, visit: (symbol: RawSymbol) => void): void {
  const entry = file.is64 ? 24 : 16;
  const count = Math.floor(section.data.size / entry);
  if (count > MAX_SYMBOLS) throw new RangeError(`${count} symbols`);
  for (let first = 0; first < count; first += ROWS_PER_READ) {
    const rows = Math.min(ROWS_PER_READ, count - first);
    const reader = new ByteReader(section.data.read(first * entry, rows * entry));
    for (let row = 0; row < rows; row++) visit(file.is64 ? symbol64(reader) : symbol32(reader));
  }
}

function symbol64(reader: ByteReader): RawSymbol {
  const name = reader.u32();
  const info = reader.u8();
  reader.skip(1);
  const section = reader.u16();
  const value = reader.u64();
  return { name, type: info & 15, binding: info >> 4, section, value, size: reader.u64() };
}

function symbol32(reader: ByteReader): RawSymbol {
  const name = reader.u32();
  const value = reader.u32();
  const size = reader.u32();
  const info = reader.u8();
  reader.skip(1);
  return { name, type: info & 15, binding: info >> 4, section: reader.u16(), value, size };
}
