import { expect, test } from 'vitest';
import { lastPartOf } from '../../src/viewer/functions.ts';
import { typeParts } from '../../src/viewer/type-name.ts';

test('the last part of a name is what fits into a narrow box', () => {
  const last = (name: string) => name.slice(lastPartOf(name));
  expect(last('Shop.Cache<System.String>.Add')).toBe('Add');
  expect(last('std::vector<int, std::allocator<int>>::push_back(int)')).toBe('push_back(int)');
  expect(last('libcoreclr.so!+0x309d4')).toBe('libcoreclr.so!+0x309d4');
  expect(last('libicuuc.so.72.1!+0x1f')).toBe('libicuuc.so.72.1!+0x1f');
  expect(last('[unknown 0x7f00]')).toBe('[unknown 0x7f00]');
});

test("a type's own name is told from its namespaces and arguments", () => {
  const marked = (name: string) =>
    typeParts(name)
      .map(({ text, kind }) => ({ namespace: `(${text})`, argument: `{${text}}`, name: text })[kind])
      .join('');
  for (const [name, parts] of [
    ['System.String', '(System.)String'],
    [
      'System.Collections.Generic.Dictionary<System.String, A.B.C<Int32>[]>.Entry[]',
      '(System.Collections.Generic.)Dictionary<(System.){String, }(A.B.){C<Int32>[]}>.Entry[]',
    ],
    ['Program', 'Program'],
    ['[no type]', '[no type]'],
    ['', ''],
  ])
    expect(marked(name)).toBe(parts);
});
