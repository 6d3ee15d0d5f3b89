import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ElfFile, EM_AARCH64 } from '../../../src/symbols/native/elf.ts';
import { readPlt } from '../../../src/symbols/native/plt.ts';
import { scratchFolder } from '../../support/memsurge.ts';
import { open, tool } from './programs.ts';

const folder = await scratchFolder();

/** Functions with and without a size, code that belongs to none, and one exported. */
const SOURCE = `
  .text
  .globl exported, __exported_alias
  .type exported, @function
  .type __exported_alias, @function
  .type sizeless, @function
  .type last, @function
__exported_alias:
exported:
  nop
  call malloc@PLT
  ret
  .size exported, .-exported
  .size __exported_alias, .-__exported_alias
  .skip 16, 0x90
gap_end:
sizeless:
  nop
  ret
label:
  nop
  ret
last:
  nop
  ret
  .section .note.GNU-stack,"",@progbits
`;

async function addresses(path: string): Promise<Record<string, number>> {
  const rows = (await tool('nm', path)).matchAll(/^([0-9a-f]+) \w (\w+)$/gm);
  return Object.fromEntries(Array.from(rows, ([, address, name]) => [name, Number.parseInt(address, 16)]));
}

describe('functions by the symbol tables', () => {
  const library = join(folder, 'library.so');
  const stripped = join(folder, 'stripped.so');
  let at: Record<string, number>;

  beforeAll(async () => {
    writeFileSync(join(folder, 'code.s'), SOURCE);
    await tool('gcc', '-shared', '-nostartfiles', '-Wl,-z,lazy', '-o', library, join(folder, 'code.s'));
    at = await addresses(library);
    await tool('objcopy', '--strip-all', library, stripped);
  });
  const nameAt = (path: string, address: number) => {
    const symbols = open(path);
    const names = symbols.frames(address).map((frame) => frame.function);
    symbols.close();
    return names;
  };

  test('a function reaches as far as its size says, and the plainest of its names is taken', () => {
    expect(nameAt(library, at.exported)).toEqual(['exported']);
    expect(nameAt(library, at.exported + 6)).toEqual(['exported']);
    expect(nameAt(library, at.exported + 7)).toEqual([]);
    expect(nameAt(library, at.gap_end - 1)).toEqual([]);
  });

  test('a function without a size reaches up to the next symbol of its section; the last is not known', () => {
    expect(nameAt(library, at.sizeless + 1)).toEqual(['sizeless']);
    expect(nameAt(library, at.label)).toEqual([]);
    expect(nameAt(library, at.last)).toEqual([]);
  });

  test('a stripped library has the functions that it exports', () => {
    expect(nameAt(stripped, at.exported + 1)).toEqual(['exported']);
    expect(nameAt(stripped, at.sizeless)).toEqual([]);
  });

  test('stubs that call into other modules are named after what they call', async () => {
    const listing = await tool('objdump', '-d', library);
    const stub = Number.parseInt(/([0-9a-f]+) <malloc@plt>:/.exec(listing)![1], 16);
    expect(nameAt(library, stub)).toEqual(['malloc@plt']);
    expect(nameAt(stripped, stub + 15)).toEqual(['malloc@plt']);
    expect(nameAt(stripped, stub - 1)).toEqual([]);
  });
});

test('stubs of arm64 load their slot by page and offset', () => {
  const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const section = (name: string, type: number, address: number, link: number, bytes: Uint8Array) => ({
    ...{ name, type, flags: 0, address, offset: 0, size: bytes.length, link },
    data: {
      size: bytes.length,
      read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
      text: (offset: number) => Buffer.from(bytes.subarray(offset, bytes.indexOf(0, offset))).toString(),
    },
  });
  // adrp x16, 0x11000; ldr x17, [x16, #0xfa8]; add x16, x16, #0xfa8; br x17
  const stub = words(0x90000090, 0xf947d611, 0x913ea210, 0xd61f0220);
  const symbol = words(0, 0, 0, 0, 0, 0, 1, 0x12, 0, 0, 0, 0);
  const sections = [
    section('.plt', 1, 0x1540, 0, stub),
    section('.rela.plt', 4, 0, 2, words(0x11fa8, 0, 1026, 1, 0, 0)),
    section('.dynsym', 11, 0, 3, symbol),
    section('.dynstr', 3, 0, 0, Buffer.from('\0malloc\0')),
  ];
  const file: ElfFile = {
    ...{ path: '/lib/a.so', machine: EM_AARCH64, is64: true, buildId: '', sections },
    section: (name) => sections.find((one) => one.name === name),
    isCode: () => true,
    close: () => {},
  };
  expect(readPlt(file).find(0x1540)?.name).toBe('malloc@plt');
  expect(readPlt(file).find(0x1550)).toBeUndefined();
});
