import fc from 'fast-check';
import { traceFromText } from '../../src/trace/from-text.ts';
import { HEAPS, KINDS } from '../../src/trace/kinds.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { DEFAULT_VIEW, METRICS, UNITS, type View } from '../../src/trace/view.ts';

/** A service that keeps attachments on the large object heap, beside ordinary small objects. */
export const shop = (): Trace =>
  traceFromText(`
process  100  shop  allocation-sampled
0.5s  loader  loh  System.Byte[]  104857600      app!Shop.Program.Main (/src/Program.cs:9) > app!Shop.Program.LoadCustomerAttachments (/src/Program.cs:27)
0.6s  worker  soh  System.String  512000 x4000   app!Shop.Program.Main (/src/Program.cs:11) > app!Shop.Report.Print (/src/Report.cs:5) > System.Private.CoreLib!System.String.Concat
0.7s  worker  soh  System.String  102400 x800    app!Shop.Program.Main (/src/Program.cs:11) > app!Shop.Report.Print (/src/Report.cs:6)
1.0s  loader  loh  System.Byte[]  104857600      app!Shop.Program.Main (/src/Program.cs:9) > app!Shop.Program.LoadCustomerAttachments (/src/Program.cs:27)
1.2s  timer  soh  System.Object  102400 x4266    System.Private.CoreLib!System.Threading.Timer.Fire
1.3s  worker  soh  System.Object  102400 x4266
gc  1  0.55s  0.56s  gen0  gen0=4096/1024  loh=104857600/0
gc  2  1.1s  1.15s  gen2  gen0=2048/0  gen2=8192/4096  loh=209715200/1048576
rss  0.1s=20971520  0.5s=125829120  1.3s=251658240
`);

const FUNCTIONS = [
  'app!A',
  'app!B',
  'util!C',
  'System.Private.CoreLib!D',
  'System.Private.CoreLib!E',
  'app!F (F.cs:3)',
  'app!F (F.cs:4)',
  'util!G (G.cs:7)',
];

interface Shape {
  readonly thread: string;
  readonly heap: string;
  readonly type: number;
  readonly native: boolean;
  readonly stack: readonly string[];
}

interface Allocation {
  readonly shape: Shape;
  readonly time: number;
  readonly bytes: number;
  readonly count: number;
  readonly released: number;
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  thread: fc.constantFrom('main', 'worker', 'timer'),
  heap: fc.constantFrom('soh', 'loh', 'poh'),
  type: fc.integer({ min: 0, max: 4 }),
  native: fc.boolean(),
  stack: fc.array(fc.constantFrom(...FUNCTIONS), { maxLength: 6 }),
});

const ofShapes = (shape: fc.Arbitrary<Shape>, minLength = 0): fc.Arbitrary<Allocation[]> =>
  fc.array(
    fc.record({
      shape,
      time: fc.integer({ min: 0, max: 1000 }),
      bytes: fc.integer({ min: 0, max: 1 << 30 }),
      count: fc.double({ min: 1, max: 5000, noNaN: true }),
      released: fc.integer({ min: 1, max: 1200 }),
    }),
    { minLength, maxLength: 60 },
  );

/** All different, or many that differ in time and size alone: these are added up beforehand. */
const allocations: fc.Arbitrary<Allocation[]> = fc.oneof(
  ofShapes(shapes),
  fc.array(shapes, { minLength: 1, maxLength: 2 }).chain((few) => ofShapes(fc.constantFrom(...few), 50)),
);

/** Traces of two processes with random allocations, some of them released. */
export const traces: fc.Arbitrary<Trace> = fc.tuple(allocations, allocations).map(([first, second]) => {
  const lines = (rows: readonly Allocation[]) =>
    rows.map(({ shape: { thread, heap, type, native, stack }, time, bytes, count, released }) => {
      const weight = `${bytes} x${count}${released > 1000 ? '' : ` ~${time + released}ms`}`;
      const cells = native
        ? ['native', `${time}ms`, thread, weight]
        : [`${time}ms`, thread, heap, `Type${type}`, weight];
      return [...cells, ...(stack.length > 0 ? [stack.join(' > ')] : [])].join('  ');
    });
  // The first row makes sure that releases are recorded at all.
  return traceFromText(
    [
      'process  1  one  exact',
      '1ms  main  soh  Type0  8 ~2ms',
      ...lines(first),
      'process  2  two  allocation-sampled',
      ...lines(second),
    ].join('\n'),
  );
});

const someOf = <T>(values: readonly T[]) => fc.oneof(fc.constant([]), fc.subarray([...values], { minLength: 1 }));

export const views: fc.Arbitrary<View> = fc
  .record({
    processes: someOf(['one', '2']),
    range: fc.oneof(
      fc.constant([0, Number.POSITIVE_INFINITY]),
      fc
        .tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 1000 }))
        .map(([a, b]) => [a * 1e6, b * 1e6]),
    ),
    kinds: someOf(KINDS.slice(0, 2)),
    heaps: someOf(HEAPS.slice(0, 4)),
    types: someOf(['Type1', 'type', 'Type*', 'nothing']),
    threads: someOf(['main', 'worker']),
    modules: someOf(['util', 'System.*']),
    functions: someOf(['A', 'C', 'F']),
    hideSystem: fc.boolean(),
    metric: fc.constantFrom(...METRICS),
    unit: fc.constantFrom(...UNITS),
  })
  .map(({ range, ...view }) => ({ ...DEFAULT_VIEW, ...view, from: Math.min(...range), to: Math.max(...range) }));
