import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageFile } from '../../../src/symbols/images.ts';
import { readElf } from '../../../src/symbols/native/elf.ts';
import { openNativeSymbols } from '../../../src/symbols/native/index.ts';
import { scratchFolder } from '../../support/memsurge.ts';
import { buildProgram } from './programs.ts';

const folder = await scratchFolder();
const VARIANTS = {
  'DWARF 2': ['-gdwarf-2'],
  'DWARF 4': ['-gdwarf-4'],
  'DWARF 5': ['-gdwarf-5'],
  packed: ['-g', '-gz'],
};
type Variant = keyof typeof VARIANTS;

const programs = new Map<string, Uint8Array>();
beforeAll(async () => {
  for (const [name, options] of Object.entries(VARIANTS)) {
    programs.set(name, readFileSync(await buildProgram(join(folder, name.replace(' ', '')), ['-O2', ...options])));
  }
});

const fileOf = (bytes: Uint8Array): ImageFile => ({
  size: bytes.length,
  read(offset, length) {
    // No reader asks for more than the file can hold, whatever the file says.
    expect(length).toBeLessThan(2 ** 30);
    const end = Math.max(0, Math.min(offset + length, bytes.length));
    return bytes.subarray(Math.max(0, Math.min(offset, bytes.length)), end);
  },
  close: () => {},
});

/** Asks for all of the code; how many frames came out. */
function readAll(bytes: Uint8Array, text: { address: number; size: number }): number {
  const symbols = openNativeSymbols('/app/program', '', (path) =>
    path === '/app/program' ? fileOf(bytes) : undefined,
  );
  let frames = 0;
  for (let i = 0; i < 40; i++) frames += symbols.frames(text.address + Math.floor((i * text.size) / 40)).length;
  for (const note of symbols.notes) expect(note).not.toContain('\n');
  expect(symbols.notes.length).toBeLessThan(2000);
  symbols.close();
  return frames;
}

function textOf(bytes: Uint8Array) {
  return readElf(fileOf(bytes), '/app/program').section('.text')!;
}

/** Where to damage: a section and a place in it, at its start more often than not. */
const edits = fc.array(
  fc.record({
    section: fc.nat(),
    place: fc.oneof(fc.nat(63), fc.nat()),
    bytes: fc.array(fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)), { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 16 },
);

describe.each(Object.keys(VARIANTS) as Variant[])('%s', (variant) => {
  test('damaged anywhere, a file gives fewer frames and never an error', () => {
    const whole = programs.get(variant)!;
    const elf = readElf(fileOf(whole), '/app/program');
    const text = textOf(whole);
    expect(readAll(whole, text)).toBeGreaterThan(40);
    const parts = [
      { offset: 0, size: 64 + 56 * 13 },
      { offset: whole.length - 64 * elf.sections.length, size: 64 * elf.sections.length },
      ...elf.sections.filter((one) => one.data.size > 0 && /debug|tab|sym|str|rela|note|plt/.test(one.name)),
    ];
    fc.assert(
      fc.property(edits, (list) => {
        const bytes = new Uint8Array(whole);
        for (const { section, place, bytes: written } of list) {
          const part = parts[section % parts.length];
          const at = part.offset + (place % part.size);
          bytes.set(written.slice(0, Math.max(0, bytes.length - at)), at);
        }
        readAll(bytes, text);
      }),
      { numRuns: 40 },
    );
  });

  test('cut off anywhere, too', () => {
    const whole = programs.get(variant)!;
    const text = textOf(whole);
    fc.assert(
      fc.property(fc.nat(whole.length), (length) => {
        readAll(whole.subarray(0, length), text);
      }),
      { numRuns: 40 },
    );
  });
});

test('a unit of nothing but nested entries ends at a bound', () => {
  const whole = new Uint8Array(programs.get('DWARF 5')!);
  const elf = readElf(fileOf(whole), '/app/program');
  const info = elf.section('.debug_info')!;
  // Entries with code 1: the unit's root, which has children, over and over again.
  whole.fill(1, info.offset + 12, info.offset + info.size);
  expect(readAll(whole, textOf(whole))).toBeGreaterThan(0);
});
