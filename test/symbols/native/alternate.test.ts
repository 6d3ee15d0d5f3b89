import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../../support/memsurge.ts';
import { open, tool } from './programs.ts';

const folder = await scratchFolder();

/** A .debug_info section of DWARF 4 with these entries below its root, and abbreviations for them. */
const debugInfo = (root: string, abbreviations: string, entries: string) => `
  .section .debug_info,"",@progbits
  .4byte .Lend - .Lversion
.Lversion:
  .2byte 4
  .4byte 0
  .byte 8
  .uleb128 1
  ${root}
  ${entries}
  .byte 0
.Lend:
  .section .debug_abbrev,"",@progbits
  ${abbreviations}
  .byte 0
  .section .note.GNU-stack,"",@progbits
`;

/** As dwz writes them: a name as a string of the other file, and a function whose abstract entry is in it. */
const PROGRAM = `
  .text
.Lfirst:
  .skip 16, 0x90
.Lsecond:
  .skip 16, 0x90
.Lstop:
${debugInfo(
  '.8byte .Lfirst, 32',
  `.uleb128 1, 0x11, 1, 0x11, 1, 0x12, 7, 0, 0
   .uleb128 2, 0x2e, 0, 0x03, 0x1f21, 0x11, 1, 0x12, 7, 0, 0
   .uleb128 3, 0x2e, 0, 0x31, 0x1f20, 0x11, 1, 0x12, 7, 0, 0`,
  `.uleb128 2
   .4byte 6
   .8byte .Lfirst, 16
   .uleb128 3
   .4byte 12
   .8byte .Lsecond, 16`,
)}`;

const SHARED = `
${debugInfo(
  '',
  `.uleb128 1, 0x11, 1, 0, 0
   .uleb128 2, 0x2e, 0, 0x03, 0x0e, 0, 0`,
  `.uleb128 2
   .4byte 13`,
)}
  .section .debug_str,"MS",@progbits,1
  .string "other"
  .string "byText"
  .string "byEntry"
  .section .note.gnu.build-id,"a",@note
  .4byte 4, 8, 3
  .string "GNU"
  .8byte 0x1122334455667788
`;

test('names that a file shares with others are found in the file it names', async () => {
  writeFileSync(join(folder, 'program.s'), PROGRAM);
  writeFileSync(join(folder, 'shared.s'), SHARED);
  const bytes = [...Buffer.from('shared.debug\0'), 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11];
  writeFileSync(join(folder, 'link'), Uint8Array.from(bytes));
  const library = join(folder, 'library.so');
  await tool('gcc', '-shared', '-nostdlib', '-o', library, join(folder, 'program.s'));
  await tool('objcopy', `--add-section=.gnu_debugaltlink=${join(folder, 'link')}`, library);
  const text = /^\s*\[ *\d+\] \.text\s+PROGBITS\s+(\w+)/m.exec(await tool('readelf', '-SW', library))![1];
  const start = Number.parseInt(text, 16);

  const alone = open(library);
  expect(alone.frames(start)).toEqual([]);
  expect(alone.notes).toEqual(['shared.debug, which holds debug information shared by several files, is not there']);
  alone.close();

  await tool('as', '-o', join(folder, 'shared.debug'), join(folder, 'shared.s'));
  const symbols = open(library);
  expect(symbols.frames(start)).toMatchObject([{ function: 'byText', inlined: false }]);
  expect(symbols.frames(start + 17)).toMatchObject([{ function: 'byEntry', inlined: false }]);
  expect(symbols.notes).toEqual([]);
  symbols.close();
});
