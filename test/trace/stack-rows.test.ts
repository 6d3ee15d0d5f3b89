import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStackRows } from '../../src/trace/stack-rows.ts';
import { NONE } from '../../src/trace/tables.ts';

test('a stack has one row, in the order of first asking, whatever was asked before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { maxLength: 4000 }), (asked) => {
      const stacks = createStackRows();
      const known = new Map<string, number>();
      for (const [wanted, frame] of asked) {
        const prefix = wanted < known.size ? wanted : NONE;
        const key = `${prefix} ${frame}`;
        if (!known.has(key)) known.set(key, known.size);
        expect(stacks.row(prefix, frame)).toBe(known.get(key));
      }
      expect(stacks.prefix.length).toBe(known.size);
    }),
  );
});

test('rows survive that the table grows', () => {
  const stacks = createStackRows();
  const frames = 300;
  for (let row = 0; row < frames * frames; row++) {
    expect(stacks.row(row < frames ? NONE : Math.floor(row / frames) - 1, row % frames)).toBe(row);
  }
  for (let row = 0; row < frames * frames; row += 7) {
    expect(stacks.row(row < frames ? NONE : Math.floor(row / frames) - 1, row % frames)).toBe(row);
  }
});
