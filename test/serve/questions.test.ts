import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TreeRow } from '../../src/query/tree.ts';
import { answerQuestion } from '../../src/serve/answer.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { shop } from '../query/traces.ts';

async function ask(trace: Trace, question: string, search: string) {
  const { status, body } = await answerQuestion({ generation: 2, trace }, question, search);
  return { status, ...JSON.parse(body) };
}

describe('answers are bounded whatever is asked for', () => {
  const allocations = Array.from(
    { length: 4000 },
    (_, i) => `${i + 1}ms  main  soh  Type${i}  ${i + 1}  app!Main > app!F${i % 61} > app!G${i}`,
  );
  const gcs = Array.from({ length: 1500 }, (_, i) => `gc  ${i + 1}  ${i + 1}ms  ${i + 2}ms  gen0  gen0=${i}/0`);
  const large = traceFromText([...allocations, ...gcs].join('\n'));
  const nodes = (rows: readonly TreeRow[]): number => rows.reduce((n, row) => n + 1 + nodes(row.children), 0);
  const others = (rows: readonly TreeRow[]): number =>
    rows.reduce((n, row) => n + Number(row.other === true) + others(row.children), 0);

  test.each(['type', 'function'])('at most 1000 rows by %s, and the rest', async (by) => {
    const { answer } = await ask(large, 'top', `by=${by}&limit=999999999`);
    expect(answer.rows).toHaveLength(1001);
    expect(answer.rows.at(-1)).toMatchObject({ other: true });
  });

  test('at most 3000 nodes', async () => {
    const { answer } = await ask(large, 'tree', 'limit=1e12');
    expect(nodes(answer.rows) - others(answer.rows)).toBe(3000);
  });

  test('at most 2000 stretches and 1000 collections', async () => {
    expect((await ask(large, 'timeline', 'buckets=5000')).answer.rows).toHaveLength(2000);
    const { answer } = await ask(large, 'heap', 'limit=5000');
    expect(answer).toMatchObject({ gcCount: 1500, gcs: { length: expect.any(Number) } });
    expect(answer.gcs.length).toBeLessThanOrEqual(1000);
  });
});

test('any query string gets an answer or one line, never a fault', async () => {
  const trace = shop();
  const words = fc.oneof(
    fc.constantFrom('by', 'limit', 'of', 'kind', 'from', 'to', 'metric', 'type', '1', 'x'),
    fc.string(),
  );
  const searches = fc.array(fc.tuple(words, words), { maxLength: 5 }).map((pairs) => new URLSearchParams(pairs));
  const questions = fc.constantFrom('report', 'top', 'tree', 'timeline', 'heap', 'code', 'facts', '__proto__', '');
  await fc.assert(
    fc.asyncProperty(questions, searches, async (question, search) => {
      const { status, answer, error } = await ask(trace, question, search.toString());
      expect([200, 400, 404]).toContain(status);
      // A good question that this trace cannot answer has an error and 200, as of a name that several functions have.
      expect(answer === undefined).toBe(error !== undefined);
      if (status !== 200) expect(error).toBeDefined();
    }),
    { examples: [['code', new URLSearchParams('of=')]] },
  );
});

test('facts say what a trace is', async () => {
  const { answer } = await ask(shop(), 'facts', '');
  expect(answer).toMatchObject({
    recording: { source: 'memsurge', mode: 'run' },
    processes: [{ pid: 100, name: 'shop', label: 'shop (100)', parent: null, allocationSource: 'allocation-sampled' }],
    kinds: ['gc-heap'],
    defaultMetric: 'allocated',
    counts: { threads: 3, types: 3, allocations: 6, gcs: 2 },
    warnings: [],
  });
  // JSON has no Infinity.
  expect(answer.processes[0].end).toBeNull();
});

test('a report looks at each kind of memory, unless a metric or a kind was asked for', async () => {
  const trace = traceFromText(`
    1ms  main  soh  Type  10  app!A
    native  2ms  main  5000 ~900ms  app!A
    native  3ms  main  7000  app!B
    gc  1  4ms  900ms  gen0  gen0=1/0
  `);
  const views = async (search: string) =>
    (await ask(trace, 'report', search)).answer.map(({ view }: { view: { kinds: string[]; metric: string } }) => [
      ...view.kinds,
      view.metric,
    ]);
  expect(await views('')).toEqual([
    ['native-heap', 'unreleased'],
    ['gc-heap', 'allocated'],
  ]);
  expect(await views('kind=native-heap')).toEqual([['native-heap', 'unreleased']]);
  expect(await views('metric=allocated')).toEqual([['allocated']]);
});
