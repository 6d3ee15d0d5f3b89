import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readableFunctionName, readableTypeName } from '../../src/symbols/names.ts';

describe('types', () => {
  test.each([
    ['System.Byte[]', 'System.Byte[]'],
    ['System.Int32[,][]', 'System.Int32[,][]'],
    ['System.Int32*[]', 'System.Int32*[]'],
    [
      'System.Collections.Generic.Dictionary`2[System.Int32,System.Byte[]]',
      'System.Collections.Generic.Dictionary<System.Int32, System.Byte[]>',
    ],
    [
      'System.Collections.Generic.Dictionary`2[System.String,System.Collections.Generic.List`1[System.Int32][]][]',
      'System.Collections.Generic.Dictionary<System.String, System.Collections.Generic.List<System.Int32>[]>[]',
    ],
    ['System.ValueTuple`2[System.Int32,System.String][]', 'System.ValueTuple<System.Int32, System.String>[]'],
    ['Probe.Point`1+Inner[System.Int32]', 'Probe.Point<System.Int32>.Inner'],
    [
      'Probe.Outer`1+Inner`1[System.__Canon,Probe.Point`1+Inner[System.Int32]]',
      'Probe.Outer<T>.Inner<Probe.Point<System.Int32>.Inner>',
    ],
    ['Probe.Outer+Inner', 'Probe.Outer.Inner'],
    [
      'System.Collections.Generic.Dictionary`2[System.__Canon,System.__Canon]',
      'System.Collections.Generic.Dictionary<T1, T2>',
    ],
    ['System.Collections.Generic.List`1[System.__Canon[]]', 'System.Collections.Generic.List<T[]>'],
    ['System.Collections.Generic.List`1', 'System.Collections.Generic.List<T>'],
    // An array of a nested type comes without its outer type and arity.
    ['Entry[System.String,System.Int32][]', 'Entry<System.String, System.Int32>[]'],
    [
      'System.Collections.Generic.List`1[[System.String, System.Private.CoreLib, Version=10.0.0.0, Culture=neutral, PublicKeyToken=7cec85d7bea7798e]]',
      'System.Collections.Generic.List<System.String>',
    ],
    [
      'System.Collections.Generic.Dictionary`2[[System.Int32, A, Version=1.0.0.0],[My.Box`1[[System.Byte, A]], B]]',
      'System.Collections.Generic.Dictionary<System.Int32, My.Box<System.Byte>>',
    ],
    ['Shop.Cart+<>c__DisplayClass4_0', 'Shop.Cart.<closure 4_0>'],
    ['Shop.Cart+<>c', 'Shop.Cart.<lambdas>'],
    [
      'System.Runtime.CompilerServices.AsyncTaskMethodBuilder`1+AsyncStateMachineBox`1[System.Int32,Program+<LoadAsync>d__0]',
      'System.Runtime.CompilerServices.AsyncTaskMethodBuilder<System.Int32>.AsyncStateMachineBox<Program.LoadAsync.<state>>',
    ],
    ['Program+<>c+<<Main>b__3_2>d', 'Program.<lambdas>.Main.<lambda>.<state>'],
    ['<>f__AnonymousType0`1[System.Int32]', '<anonymous type 0><System.Int32>'],
    ['<Program>F0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF__Local', 'Local'],
    ['', ''],
    ['not [a type', 'not [a type'],
  ])('%s', (runtimeName, readable) => {
    expect(readableTypeName(runtimeName)).toBe(readable);
    expect(readableTypeName(readable)).toBe(readable);
  });
});

describe('functions', () => {
  test.each([
    ['Ns.Program', 'Main', 'Ns.Program.Main'],
    ['Program', '<Main>$', 'Program.Main'],
    ['Program', '<Main>', 'Program.Main'],
    ['Program+<LoadAsync>d__3', 'MoveNext', 'Program.LoadAsync'],
    ['Program+<<Main>$>d__0', 'MoveNext', 'Program.Main'],
    ['Program+<Items>d__1', 'System.Collections.Generic.IEnumerable<System.Byte[]>.GetEnumerator', 'Program.Items'],
    ['Store`1+<LoadAsync>d__3`1[System.Int32,System.__Canon]', 'MoveNext', 'Store<System.Int32>.LoadAsync'],
    ['Program+<System-IAsyncDisposable-DisposeAsync>d__5', 'MoveNext', 'Program.System.IAsyncDisposable.DisposeAsync'],
    ['Program+<>c__DisplayClass1_0', '<Main>b__0', 'Program.Main.<lambda>'],
    ['Program+<>c', '<Main>b__3_2', 'Program.Main.<lambda>'],
    ['Program+<>c+<<Main>b__3_2>d', 'MoveNext', 'Program.Main.<lambda>'],
    ['Program+<>c__0`1[System.__Canon]', '<Keep>b__0_0', 'Program.Keep.<lambda>'],
    ['Program', '<Main>g__Fill|0_1', 'Program.Main.Fill'],
    ['Program', '<<Main>$>g__Fill|0_1', 'Program.Main.Fill'],
    ['Program+<<Main>g__FillAsync|0_0>d', 'MoveNext', 'Program.Main.FillAsync'],
    ['Widget', '<.ctor>b__0_0', 'Widget.ctor.<lambda>'],
    ['Ns.Widget', '.ctor', 'new Ns.Widget'],
    ['Ns.Widget', '.cctor', 'Ns.Widget (static init)'],
    ['Program+<>c', '.ctor', 'new Program.<lambdas>'],
    ['System.Collections.Generic.List`1[System.__Canon]', '.ctor', 'new System.Collections.Generic.List<T>'],
    [
      'System.Collections.Generic.List`1[System.Int32]',
      'AddWithResize',
      'System.Collections.Generic.List<System.Int32>.AddWithResize',
    ],
    ['Thing', 'op_Addition', 'Thing.operator +'],
    ['Thing', 'get_Prop', 'Thing.get_Prop'],
    ['Thing', 'Probe.IThing.Do', 'Thing.Probe.IThing.Do'],
    ['dynamicClass', 'MyDynamic', 'MyDynamic (dynamic method)'],
    ['dynamicClass', 'IL_STUB_PInvoke', 'IL_STUB_PInvoke (runtime stub)'],
    ['', 'Main', 'Main'],
  ])('%s :: %s', (namespace, name, readable) => {
    expect(readableFunctionName(namespace, name)).toBe(readable);
  });
});

/** Text made of what names are made of, so that parsers get far into it. */
const nameLike = fc
  .array(
    fc.constantFrom(
      'System.',
      'A',
      '`1',
      '`2',
      '`999',
      '+',
      '[',
      ']',
      '[]',
      ',',
      '*',
      '&',
      '<',
      '>',
      '<>c',
      '<M>d__0',
      '<M>b__1',
      'System.__Canon',
      '|',
      '-',
      ' ',
      '\0',
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

test('names stay as they are once readable, and no text throws', () => {
  fc.assert(
    fc.property(fc.oneof(nameLike, fc.string({ unit: 'binary', maxLength: 200 })), (text) => {
      const readable = readableTypeName(text);
      expect(readableTypeName(readable)).toBe(readable);
      expect(typeof readableFunctionName(text, text)).toBe('string');
    }),
    { numRuns: 5000 },
  );
});

test('endless nesting comes back unchanged', () => {
  for (const text of [
    'A`1['.repeat(5000),
    '<'.repeat(5000),
    'A[['.repeat(1300),
    `${'A`1['.repeat(900)}B${']'.repeat(900)}`,
  ]) {
    expect(readableTypeName(text)).toBe(text);
    expect(readableFunctionName(text, '<'.repeat(4000))).toContain('<');
  }
});
