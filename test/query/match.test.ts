import { expect, test } from 'vitest';
import { matchRows, rowsOf } from '../../src/query/match.ts';

const TYPES = [
  'System.Byte[]',
  'System.Collections.Generic.List<System.Byte[]>',
  'System.Collections.Generic.Dictionary<System.Int32, System.Byte[]>',
  'Shop.Byte',
  'byte[]',
];
const FUNCTIONS = [
  'Shop.Program.Load',
  'Shop.Cache.Load',
  'Shop.Program.LoadAll',
  'new Shop.Order',
  'Shop.Program.Main.<lambda>',
];
const select = (names: readonly string[], text: string) =>
  rowsOf(names.length, (row) => [names[row]], text).map((row) => names[row]);

test('an exact name selects only that', () => {
  expect(select(TYPES, 'System.Byte[]')).toEqual(['System.Byte[]']);
  expect(select(TYPES, 'byte[]')).toEqual(['byte[]']);
});

test('a pattern selects whole names', () => {
  expect(select(TYPES, 'System.*<*>')).toEqual([TYPES[1], TYPES[2]]);
  expect(select(TYPES, '*byte')).toEqual(['Shop.Byte']);
  expect(select(FUNCTIONS, 'shop.*.load')).toEqual(['Shop.Program.Load', 'Shop.Cache.Load']);
  expect(select(FUNCTIONS, 'Shop.Program.Load*')).toEqual(['Shop.Program.Load', 'Shop.Program.LoadAll']);
});

test('a last part selects before a part of the text does', () => {
  expect(select(FUNCTIONS, 'Load')).toEqual(['Shop.Program.Load', 'Shop.Cache.Load']);
  expect(select(FUNCTIONS, 'Program.Load')).toEqual(['Shop.Program.Load']);
  expect(select(FUNCTIONS, 'Order')).toEqual(['new Shop.Order']);
  expect(select(TYPES, 'List')).toEqual([TYPES[1]]);
  expect(select(TYPES, 'Byte')).toEqual(['Shop.Byte']);
  expect(select(FUNCTIONS, 'oad')).toEqual(['Shop.Program.Load', 'Shop.Cache.Load', 'Shop.Program.LoadAll']);
  expect(select(FUNCTIONS, 'LOADALL')).toEqual(['Shop.Program.LoadAll']);
});

test('further spellings select by name or last part, not by what they contain', () => {
  const names = (row: number) => [FUNCTIONS[row], `shop.dll!${FUNCTIONS[row]}`];
  expect(rowsOf(FUNCTIONS.length, names, 'shop.dll!Shop.Cache.Load')).toEqual([1]);
  expect(rowsOf(FUNCTIONS.length, names, 'dll')).toEqual([]);
});

const NAMELESS = ['libcoreclr.so!+0x5feadd', '[unknown 0x7faddead]', 'tls_get_addr'];

test('places of code without a name are found by place only, not by letters in them', () => {
  expect(select(NAMELESS, 'Add')).toEqual(['tls_get_addr']);
  expect(select(NAMELESS, '*add')).toEqual([]);
  expect(select(NAMELESS, 'dead')).toEqual([]);
  expect(select(NAMELESS, 'libcoreclr')).toEqual([NAMELESS[0]]);
  expect(select(NAMELESS, 'libcoreclr.so!*')).toEqual([NAMELESS[0]]);
  expect(select(NAMELESS, '0x5fe')).toEqual([NAMELESS[0]]);
  expect(select(NAMELESS, '+0x5feadd')).toEqual([NAMELESS[0]]);
  expect(select(NAMELESS, '*0x*dd')).toEqual([NAMELESS[0]]);
});

test('a place of code without a name is no near name', () => {
  for (const text of ['0', 'x', '5feade']) {
    const { warnings } = matchRows(NAMELESS.length, (row) => [NAMELESS[row]], [text], 'functions');
    expect(warnings).toEqual([`no functions match "${text}"`]);
  }
});

test('a text that selects nothing is reported with near names', () => {
  const { mask, warnings } = matchRows(
    FUNCTIONS.length,
    (row) => [FUNCTIONS[row]],
    ['Laod', 'LoadAll', 'Zzzzzz'],
    'functions',
  );
  expect([...mask]).toEqual([0, 0, 1, 0, 0]);
  expect(warnings).toEqual([
    'no functions match "Laod"; near: Shop.Cache.Load, Shop.Program.Load',
    'no functions match "Zzzzzz"',
  ]);
});

test('many stars take no time', () => {
  expect(select(['a'.repeat(5000)], `${'*a'.repeat(1000)}*b`)).toEqual([]);
});

test('of many near names the closest three are told, of equal ones the first by name', () => {
  const names = ['App.Loda', 'App.Lo', 'App.Loaded', 'App.Lead', 'App.Road', 'App.Lo', 'App.Loan', 'App.Zzz'];
  const { warnings } = matchRows(names.length, (row) => [names[row]], ['App.Laad'], 'functions');
  expect(warnings).toEqual(['no functions match "App.Laad"; near: App.Lead, App.Loan, App.Road']);
});

test('texts asked together select what each selects alone', () => {
  const texts = ['Load', 'shop.*', 'nothing*', 'Shop.Cache.Load', 'LOADALL'];
  const names = (row: number) => [FUNCTIONS[row], `shop.dll!${FUNCTIONS[row]}`];
  const together = matchRows(FUNCTIONS.length, names, texts, 'functions');
  const alone = new Set(texts.flatMap((text) => rowsOf(FUNCTIONS.length, names, text)));
  expect([...together.mask]).toEqual(FUNCTIONS.map((_, row) => (alone.has(row) ? 1 : 0)));
  expect(together.warnings).toHaveLength(1);
});
