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
    expect(readOperations(Uint8Array.from(il))).toEqual({ calls: [30], allocations: [6, 44], apart: [50] });
  });

  test('end where nothing goes on to the next', () => {
    // brtrue.s; br.s; leave; endfinally; throw; rethrow; endfilter; ret
    const il = [0x2d, 0, 0x2b, 0, 0xdd, 0, 0, 0, 0, 0xdc, 0x7a, 0xfe, 0x1a, 0xfe, 0x11, 0x2a];
    expect(readOperations(Uint8Array.from(il)).apart).toEqual([4, 9, 10, 11, 13, 15, 16]);
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

  test('is the only line of a method, where what is inlined into it is hidden', () => {
    const map = { native: [0, 0x10, 0x20], il: [0x00, 0x04, 0x48] };
    const oneLine = {
      il: [0x00, 0x04, 0x48],
      line: [5, 0, 0],
      calls: [0x4a],
      allocations: [0x06],
      apart: [0x04, 0x48],
    };
    expect([0x18, 0x28].map((at) => statementAt(oneLine, map, at, false))).toEqual([0, 0]);
    expect(statementAt({ ...oneLine, il: [0x00, 0x04, 0x48, 0x60], line: [5, 0, 0, 6] }, map, 0x28, false)).toBe(-1);
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

  describe('behind a hidden point', () => {
    // As the C# compiler writes them: 20: await at IL 0, its hidden rest at 8, 21: at 20; 22: a `using` ends, by a hidden
    // `leave` at 30 and a hidden handler at 32; 24: the handler of a `finally` at 48, behind a `leave` at 46; 25: at 60
    const method = {
      il: [0, 8, 20, 30, 32, 40, 48, 60],
      line: [20, 0, 21, 0, 0, 22, 24, 25],
      calls: [2, 10, 22, 34, 42, 50, 62],
      allocations: [],
      apart: [32, 40, 48, 60],
    };
    const at = (il: number[], offset: number) =>
      statementAt(method, { native: il.map((_, i) => 0x10 * i), il }, offset, false);
    const NO_MAPPING = -1;

    test('that its code runs into, a statement keeps its line', () => {
      expect(at([0, 8, 20], 0x18)).toBe(0);
    });

    test('that comes after a jump, no statement goes on', () => {
      expect(at([0, 20, 32, 40], 0x28)).toBe(-1);
      expect(at([0, 20, NO_MAPPING, 40], 0x28)).toBe(-1);
      expect(at([0, 20, 32, 40], 0x18)).toBe(2);
    });

    test('that is no handler, code without a mapping stays with the statement before it', () => {
      expect(at([0, 20, NO_MAPPING, 30], 0x28)).toBe(2);
      expect(at([0, 40, NO_MAPPING, 60], 0x28)).toBe(5);
    });

    test('where nobody knows what code goes on, it is the line before', () => {
      const { apart, ...older } = method;
      expect(apart.length).toBeGreaterThan(0);
      expect(statementAt(older, { native: [0], il: [32] }, 4, false)).toBe(2);
    });
  });
});
