import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareTrace } from '../../src/trace/share.ts';
import { shop, traces } from '../query/traces.ts';

/** All columns below `value`, by their path. */
function columns(value: unknown, path = ''): [string, ArrayBufferView][] {
  if (ArrayBuffer.isView(value)) return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => columns(part, `${path}.${name}`));
}

test('a shared trace is the same trace', () => {
  expect(shareTrace(shop())).toEqual(shop());
  fc.assert(
    fc.property(traces, (trace) => {
      expect(shareTrace(trace)).toEqual(trace);
    }),
    { numRuns: 20 },
  );
});

test('every column of it is in shared memory', () => {
  const all = columns(shareTrace(shop()));
  expect(all.map(([path]) => path)).toEqual(columns(shop()).map(([path]) => path));
  expect(all.length).toBeGreaterThan(50);
  for (const [path, column] of all) expect(column.buffer, path).toBeInstanceOf(SharedArrayBuffer);
});

test('other threads see the columns themselves, not copies', () => {
  const shared = shareTrace(shop());
  const sent = structuredClone(shared);
  shared.allocations.bytes[0] = 4711;
  expect(sent.allocations.bytes[0]).toBe(4711);
});
