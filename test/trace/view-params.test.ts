import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEAPS, KINDS } from '../../src/trace/kinds.ts';
import { type AskedView, DEFAULT_VIEW, METRICS, UNITS } from '../../src/trace/view.ts';
import { viewFromParams, viewToParams } from '../../src/trace/view-params.ts';

const texts = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 4 });
const time = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });

const views: fc.Arbitrary<AskedView> = fc
  .record({
    processes: texts,
    kinds: fc.subarray([...KINDS]),
    heaps: fc.subarray([...HEAPS]),
    types: texts,
    threads: texts,
    modules: texts,
    functions: texts,
    times: fc.tuple(fc.oneof(fc.constant(0), time), fc.oneof(fc.constant(Number.POSITIVE_INFINITY), time)),
    hideSystem: fc.boolean(),
    metric: fc.option(fc.constantFrom(...METRICS), { nil: undefined }),
    unit: fc.constantFrom(...UNITS),
  })
  .map(({ times, metric, ...view }) => ({
    ...view,
    from: Math.min(...times) + 0, // -0 is 0
    to: Math.max(...times) + 0,
    ...(metric !== undefined && { metric }),
  }));

test('a View comes back from its parameters, also by way of a URL', () => {
  fc.assert(
    fc.property(views, (view) => {
      expect(viewFromParams(viewToParams(view))).toEqual(view);
      const url = new URL(`http://localhost/?${viewToParams(view)}&limit=3`);
      expect(viewFromParams(url.searchParams)).toEqual(view);
    }),
  );
});

test('what is at its default is left out, and JSON may have been in between', () => {
  const { metric: _, ...asked } = DEFAULT_VIEW;
  expect(viewToParams(asked).toString()).toBe('');
  expect(viewFromParams(new URLSearchParams())).toEqual(asked);
  expect(viewToParams(JSON.parse(JSON.stringify(asked))).toString()).toBe('');
});

describe('what cannot be is one clear line', () => {
  test.each([
    ['kind=heap', /^"heap" is no kind; allowed: gc-heap, native-heap/],
    ['heap=x', /^"x" is no heap; allowed: none, soh/],
    ['metric=', /^"" is no metric; allowed: allocated/],
    ['unit=kb', /^"kb" is no unit; allowed: bytes, count$/],
    ['hide-system=yes', /^"yes" is no hide-system; allowed: 0, 1$/],
    ['from=soon', /^from=soon is no time; give nanoseconds/],
    ['from=', /^from= is no time/],
    ['to=-1', /^to=-1 is no time/],
    ['to=Infinity', /^to=Infinity is no time/],
    ['to=1e999', /^to=1e999 is no time/],
    ['from=2&to=1', /^from is later than to/],
    ['from=1&from=2', /^from is given 2 times/],
  ])('%s', (params, line) => {
    expect(() => viewFromParams(new URLSearchParams(params))).toThrow(
      expect.objectContaining({ name: 'TraceError', message: expect.stringMatching(line) }),
    );
  });
});
