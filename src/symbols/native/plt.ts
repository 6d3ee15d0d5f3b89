import { type ElfFile, EM_AARCH64, EM_X86_64, SHT_RELA } from './elf.ts';
import type { ElfSymbols } from './elf-symbols.ts';
import { indexRanges } from './range-index.ts';
import { ByteReader } from './reader.ts';

const LINKAGE_SECTIONS = ['.plt', '.plt.sec', '.plt.got', '.iplt'];
const MAX_TABLE_BYTES = 64 * 1024 * 1024;
const RELA_BYTES = 24;

/** A jump through a slot of the global offset table. */
interface Stub {
  readonly start: number;
  readonly end: number;
  readonly slot: number;
}

/**
 * The stubs that call into other modules, named `name@plt`: each jumps to the address in a slot, and a relocation says
 * whose address goes into the slot. x64 and arm64; others have none.
 */
export function readPlt(file: ElfFile): ElfSymbols {
  const readStubs = file.machine === EM_X86_64 ? stubsX64 : file.machine === EM_AARCH64 ? stubsArm64 : undefined;
  if (!file.is64 || readStubs === undefined) return { find: () => undefined };
  const stubs = LINKAGE_SECTIONS.flatMap((name) => {
    const section = file.section(name);
    if (section === undefined || section.data.size > MAX_TABLE_BYTES) return [];
    const bytes = section.data.read(0, section.data.size);
    return readStubs(bytes, section.address, name === '.plt.got' ? 8 : 16);
  });
  const targets = stubs.length === 0 ? undefined : relocationTargets(file, new Set(stubs.map((stub) => stub.slot)));
  const named = stubs.flatMap((stub) => {
    const target = targets?.get(stub.slot);
    return target === undefined ? [] : [{ name: `${target}@plt`, start: stub.start, end: stub.end }];
  });
  const ranges = indexRanges(
    named.map((stub) => stub.start),
    named.map((stub) => stub.end),
  );
  return { find: (address) => named[ranges.find(address)] };
}

/** `jmp *disp32(%rip)`: ff 25. */
function stubsX64(bytes: Uint8Array, address: number, alignment: number): Stub[] {
  const stubs: Stub[] = [];
  const reader = new ByteReader(bytes);
  for (let at = bytes.indexOf(0xff); at >= 0 && at + 6 <= bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] !== 0x25) continue;
    reader.at = at + 2;
    const slot = address + at + 6 + (reader.u32() | 0);
    const start = address + Math.floor(at / alignment) * alignment;
    stubs.push({ start, end: Math.max(start + alignment, address + at + 6), slot });
  }
  return stubs;
}

/** `adrp x16, page; ldr x17, [x16, #offset]`, perhaps after `bti c`. */
function stubsArm64(bytes: Uint8Array, address: number): Stub[] {
  const stubs: Stub[] = [];
  const reader = new ByteReader(bytes);
  for (let at = 0; at + 16 <= bytes.length; at += 4) {
    reader.at = at;
    const adrp = reader.u32();
    const load = reader.u32();
    if ((adrp & 0x9f00001f) >>> 0 !== 0x90000010 || (load & 0xffc003ff) >>> 0 !== 0xf9400211) continue;
    const pages = (((((adrp >>> 5) & 0x7ffff) << 2) | ((adrp >>> 29) & 3)) << 11) >> 11;
    const slot = Math.floor((address + at) / 4096) * 4096 + pages * 4096 + ((load >>> 10) & 0xfff) * 8;
    stubs.push({ start: address + at, end: address + at + 16, slot });
  }
  return stubs;
}

/** Names of the symbols whose addresses go into `slots`. */
function relocationTargets(file: ElfFile, slots: ReadonlySet<number>): Map<number, string> {
  const targets = new Map<number, string>();
  for (const section of file.sections) {
    if (section.type !== SHT_RELA || section.data.size > MAX_TABLE_BYTES) continue;
    const symbols = file.sections[section.link];
    const strings = symbols && file.sections[symbols.link];
    if (symbols === undefined || strings === undefined) continue;
    const reader = new ByteReader(section.data.read(0, section.data.size));
    while (reader.at + RELA_BYTES <= reader.bytes.length) {
      const slot = reader.u64();
      reader.skip(4);
      const symbol = reader.u32();
      reader.skip(8);
      if (symbol === 0 || !slots.has(slot)) continue;
      targets.set(slot, strings.data.text(new ByteReader(symbols.data.read(symbol * 24, 24)).u32()));
    }
  }
  return targets;
}
