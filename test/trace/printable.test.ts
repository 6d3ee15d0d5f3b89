import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/trace/printable.ts';

const BAD = [
  '\x1b[2J',
  '\x07',
  '\x9b31m',
  '\u202e',
  '\u2066',
  '\u200f',
  '\u061c',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\0',
  '\x7f',
  '\r',
  '\ud800',
];

test('what would lead a terminal is shown as a character', () => {
  for (const bad of BAD) {
    expect(printable(`a${bad}b`), JSON.stringify(bad)).toMatch(/^a\ufffd(\[2J|31m)?b$/);
    expect(printableLines(`a${bad}b`)).toBe(printable(`a${bad}b`));
  }
  expect(printable('a\nb\tc')).toBe('a\ufffdb\ufffdc');
  expect(printableLines('a\nb\tc')).toBe('a\nb\tc');
});

test('names of all languages stay as they are', () => {
  for (const name of ['Ünïcode`1[[€]]', 'Заказ.Загрузить', '注文', 'שלום', 'नमस्ते', '👨‍👩‍👧', 'a\u200cb']) {
    expect(printable(name)).toBe(name);
    expect(printableLines(name)).toBe(name);
  }
});

test('JSON means the same', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), fc.constantFrom(...BAD), (json, bad) => {
      const text = JSON.stringify({ json: JSON.parse(json), bad }, null, 2);
      const made = printableJson(text);
      expect(JSON.parse(made)).toEqual(JSON.parse(text));
      expect(printableLines(made)).toBe(made);
    }),
  );
});
