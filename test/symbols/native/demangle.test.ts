import { expect, test } from 'vitest';
import { demangle } from '../../../src/symbols/native/demangle.ts';
import { answerOf } from './programs.ts';

test('C++ names have their arguments and no result', () => {
  expect(demangle('_ZN8geometry5StoreIiE3addEi')).toBe('geometry::Store<int>::add(int)');
  expect(demangle('_ZSt3maxIiERKT_S2_S2_')).toBe('std::max<int>(int const&, int const&)');
  expect(demangle('_ZN12_GLOBAL__N_13fooEv.constprop.0')).toBe('(anonymous namespace)::foo() [clone .constprop.0]');
  expect(demangle('_ZZ4mainENKUliE_clEi')).toBe('main::{lambda(int)#1}::operator()(int) const');
});

test('empty packs of arguments leave no comma, and a thunk is the function it jumps to', () => {
  expect(demangle('_Z5printIJEEvPKcDpOT_')).toBe('print<>(char const*)');
  expect(demangle('_ZThn16_N4node7ReqWrap6cancelEv')).toBe('node::ReqWrap::cancel()');
});

test('where result or parameters cannot be taken apart, the name is told without them', () => {
  const result = 'St10shared_ptrINSt9enable_ifIXntsrSt8is_arrayIT_E5valueES7_E4typeEE';
  expect(demangle(`_ZSt11make_sharedI5OrderJiRA2_KcEE${result}DpOT0_`)).toBe(
    'std::make_shared<Order, int, char const (&) [2]>',
  );
  expect(
    demangle(
      '_ZSt11make_sharedI5OrderJiEESt10shared_ptrINSt9enable_ifIXntsrSt8is_arrayIT_E5valueES7_E4typeEEDpOT0_.cold',
    ),
  ).not.toMatch(/^_Z/);
  expect(demangle('_Z3fooI3BarEXntsrT_E5valueE')).toBe('foo<Bar>');
});

test('Rust names lose their hash', () => {
  expect(demangle('_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE')).toBe('core::fmt::Write::write_fmt');
  expect(demangle('_RNvNtC3foo3bar3baz')).toBe('foo::bar::baz');
});

test('what is not mangled comes back as it is', () => {
  for (const name of ['', 'main', '_start', '__libc_malloc', '_Z', '_ZZZ', 'Zebra', '_Rubbish', '_R', 'é']) {
    expect(demangle(name)).toBe(name);
  }
});

test('a name that stands for gigabytes comes back as it is, and the next one is read', () => {
  const substitution = (n: number) => (n === 0 ? 'S_' : `S${(n - 1).toString(36).toUpperCase()}_`);
  const doubled = Array.from({ length: 40 }, (_, i) => `S_I${substitution(i + 1).repeat(2)}E`);
  const bomb = `_Z1f1PIiiE${doubled.join('')}`;
  expect(demangle(bomb)).toBe(bomb);
  const nested = `_Z1f${'P'.repeat(15_000)}i`;
  expect(demangle(nested)).toBe(nested);
  expect(demangle('_Z1fi')).toBe('f(int)');
});

test('the names of libstdc++ are those of c++filt, but for results and abbreviations', () => {
  const library = answerOf('g++', ['-print-file-name=libstdc++.so']).trim();
  const listed = answerOf('nm', ['-D', '--defined-only', '-P', library]);
  const names = [...listed.matchAll(/^(_Z(?!T)[^ @]+)[^ ]* [TW] /gm)].map((match) => match[1]);
  expect(names.length).toBeGreaterThan(3000);
  const theirs = answerOf('c++filt', [], names.join('\n'));
  const alike = theirs.split('\n').filter((name, i) => plain(name).endsWith(plain(demangle(names[i]))));
  // The rest are a few templates of constructors, whose first argument is taken for a result.
  expect(alike.length / names.length).toBeGreaterThan(0.98);
});

const plain = (name: string): string =>
  name
    .replace(/ |\[abi:\w+\]/g, '')
    .replace(/std::basic_string<char,std::char_traits<char>,std::allocator<char>>/g, 'std::string')
    .replace(/::(~?)basic_string\(/g, '::$1string(')
    .replace(/std::basic_(\w+)<char,std::char_traits<char>>/g, 'std::$1')
    .replace(/\(unsignedlong\)(\d+)/g, '$1ul');
