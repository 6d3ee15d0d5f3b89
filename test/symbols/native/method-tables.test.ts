import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileImages } from '../../../src/symbols/images.ts';
import { namesOfMethodTables } from '../../../src/symbols/native/method-tables.ts';
import { isLanguageCode } from '../../../src/symbols/user-code.ts';
import { scratchFolder } from '../../support/memsurge.ts';
import { answerOf } from './programs.ts';

/** As NativeAOT's compiler spells them. */
const TABLES: Record<string, string> = {
  _ZTV6String: 'System.String',
  '_ZTV14__Array<UInt8>': 'System.Byte[]',
  '_ZTV23__Array<__Array<Int32>>': 'System.Int32[][]',
  _ZTV22aot_Shop_Program_Order: 'aot_Shop_Program_Order',
};

test('types are named by the symbols of their method tables', async () => {
  const folder = await scratchFolder();
  const [source, program] = [join(folder, 'tables.s'), join(folder, 'tables')];
  const tables = Object.keys(TABLES).map((name) => `"${name}": .quad 1, 2`);
  writeFileSync(source, ['.data', ...tables, 'other: .quad 3', '.text', '.globl main', 'main: ret', ''].join('\n'));
  answerOf('gcc', ['-o', program, source]);
  const rows = answerOf('nm', [program]).split('\n');
  const at = new Map(rows.map((row) => [row.slice(19), Number.parseInt(row.slice(0, 16), 16)]));
  const addresses = [...Object.keys(TABLES), 'other'].map((name) => at.get(name)!);
  const open = (path: string) => fileImages()(path, 0);

  const found = namesOfMethodTables(program, [...addresses, addresses[0] + 8], open);
  expect([...found.values()].sort()).toEqual(Object.values(TABLES).sort());
  expect(found.get(at.get('_ZTV6String')!)).toBe('System.String');

  answerOf('strip', [program]);
  expect(namesOfMethodTables(program, addresses, open).size).toBe(0);
  expect(namesOfMethodTables(join(folder, 'nothing'), addresses, open).size).toBe(0);
});

test('the framework that is compiled into a program is no code of its own', () => {
  for (const name of [
    'S_P_CoreLib_System_Collections_Generic_List_1<System___Canon>__AddWithResize',
    'S_P_TypeLoader_Internal_TypeSystem_TypeDesc__get_IsArray',
    'System_Linq_System_Linq_Enumerable__ToList<Int32>',
  ]) {
    expect(isLanguageCode(name, ''), name).toBe(true);
  }
  for (const name of ['aot_Shop_Program__LoadOrders', 'System_init', 'S_P', 'Systematic__run']) {
    expect(isLanguageCode(name, ''), name).toBe(false);
  }
});
