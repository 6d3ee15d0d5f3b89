import { describe, expect, test } from 'vitest';
import { readMethodHeader, readOperations } from '../../src/symbols/il.ts';
import { statementAt } from '../../src/symbols/statement.ts';

describe('operations of IL', () => {
  test('are found between operands that look like opcodes', () => {
    // nop; ldc.i4 0x8d8d8d8d; newarr 0x01000005; switch of two; constrained.; callvirt; ldc.i8; box; ret
    const il = [
      0x00, 0x20, 0x8d, 0x8d, 0x8d, 0x8d, 0x8d, 0x05, 0x00, 0x00, 0x01, 0x45, 0x02, 0, 0, 0, 0x73, 0, 0, 0, 0x73, 0, 0,
      0, 0xfe, 0x16, 0x28, 0, 0, 0, 0x6f, 0x28, 0, 0, 0x0a, 0x21, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x8c,
      1, 0, 0, 1, 0x2a,
    ];
    expect(readOperations(Uint8Array.from(il))).toEqual({ calls: [30], allocations: [6, 44] });
  });

  test('that are cut are a RangeError', () => {
    expect(() => readOperations(Uint8Array.of(0x45, 1))).toThrow(RangeError);
  });

  test('come behind a header of one or of twelve bytes', () => {
    expect(readMethodHeader(Uint8Array.of((7 << 2) | 2))).toEqual({ headerSize: 1, codeSize: 7 });
    expect(readMethodHeader(Uint8Array.of(0x13, 0x30, 8, 0, 0x2c, 1, 0, 0, 0, 0, 0, 0))).toEqual({
      headerSize: 12,
      codeSize: 300,
    });
  });
});

describe('the statement of a call site', () => {
  // 10: for (…; i < n; …)  at IL 0x7c;  12: var a = new byte[n] at 0x0a;  13: a[0] = 1 at 0x15;  14: Print(a) at 0x20
  const loop = {
    il: [0x00, 0x0a, 0x15, 0x20, 0x7c],
    line: [10, 12, 13, 14, 10],
    calls: [0x22],
    allocations: [0x0f],
  };

  test('is the mapped one where that has the operation', () => {
    const map = { native: [0, 0x10, 0x20, 0x30], il: [0x00, 0x0a, 0x15, 0x20] };
    expect(statementAt(loop, map, 0x18, true)).toBe(1);
    expect(statementAt(loop, map, 0x38, false)).toBe(3);
  });

  test('is the one before the next mapping where a jump back lost its own', () => {
    const map = { native: [0, 0x10, 0x30], il: [0x00, 0x7c, 0x15] };
    expect(statementAt(loop, map, 0x2f, true)).toBe(1);
  });

  test('is a later one, up to the next mapping, where the mappings between were dropped', () => {
    const map = { native: [0, 0x10, 0x40], il: [0x00, 0x0a, 0x7c] };
    expect(statementAt(loop, map, 0x18, true)).toBe(1);
    expect(statementAt(loop, map, 0x38, false)).toBe(3);
  });

  test('stays the mapped one where nothing better is known', () => {
    const nothing = { ...loop, calls: [], allocations: [] };
    expect(statementAt(nothing, { native: [0, 0x10, 0x30], il: [0x00, 0x7c, 0x15] }, 0x2f, true)).toBe(4);
    expect(statementAt(loop, undefined, 0x18, true)).toBe(0);
    expect(statementAt(undefined, undefined, 0, true)).toBe(-1);
  });
});
