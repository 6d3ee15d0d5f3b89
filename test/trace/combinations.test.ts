import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexed } from '../../src/trace/combinations.ts';

const COLUMNS = ['kind', 'heap', 'type', 'stack'] as const;

/** Up to 3000 allocations with values of few or of many kinds, NONE among them. */
const keys = fc
  .integer({ min: 0, max: 40 })
  .chain((max) => fc.array(fc.tuple(...COLUMNS.map(() => fc.integer({ min: -1, max }))), { maxLength: 3000 }));

test('every allocation has the combination that says what it says, and no two combinations are the same', () => {
  fc.assert(
    fc.property(keys, (rows) => {
      const column = (n: number) => Int32Array.from(rows, (row) => row[n]);
      const bytes = (n: number) => Uint8Array.from(rows, (row) => Math.max(0, row[n]));
      const floats = new Float64Array(rows.length);
      const table = {
        length: rows.length,
        ...{ time: floats, bytes: floats, count: floats },
        ...{ thread: column(0), kind: bytes(0), heap: bytes(1), type: column(2), stack: column(3) },
      };
      const { combination, combinations } = indexed(table);
      for (const name of COLUMNS) {
        expect(Array.from(combination, (one) => combinations[name][one])).toEqual([...table[name]]);
        expect(combinations[name]).toHaveLength(combinations.length);
      }
      const distinct = new Set(rows.map((_, row) => COLUMNS.map((name) => table[name][row]).join()));
      expect(combinations.length).toBe(distinct.size);
      expect([...combinations.stack]).toEqual([...combinations.stack].sort((a, b) => a - b));
    }),
  );
});
