import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CodeBody } from '../../src/symbols/code.ts';
import { createCodeMap } from '../../src/symbols/code-map.ts';

const body = (name: string, start: number, size: number, from = 0, to = Number.POSITIVE_INFINITY): CodeBody => ({
  start,
  size,
  from,
  to,
  methodId: 0,
  rejitId: 0,
  moduleId: 1,
  token: 0x06000001,
  namespace: 'Ns.Type',
  name,
  signature: '',
  origin: 'jit',
  optimized: false,
});

test('an address belongs to the body around it and to none in a gap', () => {
  const map = createCodeMap([body('b', 200, 50), body('a', 100, 50)]);
  expect(map.find(99, 0)).toBeUndefined();
  expect(map.find(100, 0)?.name).toBe('a');
  expect(map.find(149, 0)?.name).toBe('a');
  expect(map.find(150, 0)).toBeUndefined();
  expect(map.find(249, 0)?.name).toBe('b');
  expect(createCodeMap([]).find(0, 0)).toBeUndefined();
});

test('memory that is used again belongs to whoever was there at the time', () => {
  const map = createCodeMap([body('old', 100, 80, 10, 20), body('new', 120, 80, 30)]);
  expect(map.find(130, 15)?.name).toBe('old');
  expect(map.find(130, 30)?.name).toBe('new');
  expect(map.find(110, 40)?.name).toBe('old');
  expect(map.dependsOnTime(130)).toBe(true);
  expect(map.dependsOnTime(110)).toBe(false);
  expect(map.dependsOnTime(190)).toBe(false);
});

test('code that was reported late was there before', () => {
  const map = createCodeMap([body('late', 100, 50, 1000)]);
  expect(map.find(120, 5)?.name).toBe('late');
});

test('the same body reported twice does not depend on time', () => {
  const map = createCodeMap([body('a', 100, 50, 10), body('a', 100, 50, Number.NEGATIVE_INFINITY)]);
  expect(map.dependsOnTime(120)).toBe(false);
});

test('finds what a search through all bodies finds', () => {
  const bodies = fc.array(fc.record({ start: fc.nat(200), size: fc.nat(30), from: fc.nat(50), life: fc.nat(50) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(bodies, fc.nat(240), fc.nat(110), (rows, address, time) => {
      const all = rows.map((row, i) => body(`m${i}`, row.start, row.size, row.from, row.from + row.life));
      const found = createCodeMap(all).find(address, time);
      const covering = all.filter((one) => address >= one.start && address < one.start + one.size);
      const alive = covering.filter((one) => time >= one.from && time < one.to);
      if (alive.length > 0) expect(found?.from).toBe(Math.max(...alive.map((one) => one.from)));
      else expect(found === undefined).toBe(covering.length === 0);
    }),
  );
});
