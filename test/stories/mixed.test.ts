import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/query/rows.ts';
import { top } from '../../src/query/top.ts';
import { openTrace } from '../../src/read/open.ts';
import { DEFAULT_VIEW } from '../../src/trace/view.ts';
import { isLong } from '../support/long.ts';
import { ask, memsurge, scratchFolder } from '../support/memsurge.ts';
import { type Framework, samplePath, samplesAllocations } from '../support/samples.ts';

interface Truth {
  readonly bytes: number;
  readonly threads: readonly { thread: string; osId: number; bytes: number }[];
  readonly rows: readonly {
    thread: string;
    type: string;
    heap: string;
    member: string;
    file: string;
    line: number;
    objects: number;
    bytes: number;
  }[];
}

/**
 * The program's own exact bytes by `key`. Its ledger counts only what it means to allocate: the runtime allocates a
 * little beside it, so a group may hold up to this much more.
 */
const UNCOUNTED_BYTES = 4_000_000;

function exactBy(truth: Truth, key: (row: Truth['rows'][number]) => string): Map<string, number> {
  const groups = new Map<string, number>();
  for (const row of truth.rows) groups.set(key(row), (groups.get(key(row)) ?? 0) + row.bytes);
  return groups;
}

/**
 * The stated interval covers the truth 95 % of the time; a suite must not fail one run in twenty. Twice the half-width
 * is four standard deviations. Ticks (up to .NET 9) state no error; where one thread allocates after the other, as here,
 * they are as near as draws would be.
 */
function expectWithinError(framework: Framework, name: string, exact: number, row: Row | undefined): void {
  expect(row, `${name} has a row`).toBeDefined();
  const { bytes } = row as Row;
  const ofTicks = samplesAllocations(framework) ? undefined : 1.96 / Math.sqrt(bytes / 102_400);
  if (ofTicks !== undefined) expect(row?.error, 'of ticks no error is stated').toBeUndefined();
  const error = ofTicks ?? row?.error ?? 0;
  const allowed = 2 * error * bytes + UNCOUNTED_BYTES;
  expect(Math.abs(bytes - exact), `${name}: ${bytes} ± ${error}, exact ${exact}`).toBeLessThan(allowed);
}

const FRAMEWORKS: readonly Framework[] = ['net8.0', 'net10.0', ...(isLong ? (['net11.0'] as const) : [])];

describe.each(FRAMEWORKS)('a program of fixed shares on %s', async (framework) => {
  const folder = await scratchFolder();
  const trace = join(folder, 'mixed.memsurge');
  const run = await memsurge('run', '-o', trace, '--', samplePath('mixed', framework));
  const truth: Truth = JSON.parse(run.stdout);

  test('is recorded without a change to its output or exit code', () => {
    expect(run.status).toBe(0);
    expect(truth.bytes).toBeGreaterThan(2e9);
  });

  test('has its total within the stated error', async () => {
    const { total } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'kind');
    expectWithinError(framework, 'total', truth.bytes, { name: 'total', share: 1, ...total });
  });

  test('has its heaps within the stated error', async () => {
    const { rows } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'heap');
    for (const [heap, exact] of exactBy(truth, (row) => row.heap)) {
      expectWithinError(
        framework,
        heap,
        exact,
        rows.find((row) => row.name === heap),
      );
    }
  });

  test('has its types within the stated error', async () => {
    const { rows } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'type', '--limit', '1000');
    for (const [type, exact] of exactBy(truth, (row) => row.type)) {
      expectWithinError(
        framework,
        type,
        exact,
        rows.find((row) => row.name === type),
      );
    }
  });

  test('has its threads within the stated error', async () => {
    const { rows } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'thread', '--limit', '1000');
    expect(truth.threads.length).toBe(5);
    for (const { thread, osId, bytes } of truth.threads) {
      // "images (4711)", or "thread 4711" when it ended before its name could be read.
      const row = rows.find((one) => one.name.match(/(\d+)\)?$/)?.[1] === String(osId));
      expectWithinError(framework, thread, bytes, row);
    }
  });

  test('has its lines within the stated error', async () => {
    const { rows } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'line', '--limit', '1000');
    for (const [line, exact] of exactBy(truth, (row) => `${row.file}:${row.line}`)) {
      expectWithinError(
        framework,
        line,
        exact,
        rows.find((row) => `${row.file}:${row.line}` === line),
      );
    }
  });

  test('names its functions as a reader of the source would', async () => {
    const { rows } = await ask('top', trace, '--kind', 'gc-heap', '--by', 'function', '--limit', '1000');
    const names = rows.map((row) => row.name);
    for (const name of [
      'new Mixed.Order',
      'Mixed.Sites.AsyncMethod',
      'Mixed.Sites.Iterator',
      'Mixed.Sites.Lambda.<lambda>',
      'Mixed.Sites.LocalFunction.Fill',
      'Mixed.Sites.Recursion',
    ]) {
      expect(names).toContain(name);
    }
  });

  test('has rows that add up to the total, whatever is asked', async () => {
    const opened = await openTrace(trace);
    for (const by of ['kind', 'heap', 'type', 'thread', 'function', 'line', 'module', 'process'] as const) {
      const { rows, total } = top(opened, { ...DEFAULT_VIEW, kinds: ['gc-heap'] }, by, 3);
      const sum = rows.reduce((bytes, row) => bytes + row.bytes, 0);
      expect(Math.abs(sum - total.bytes) / total.bytes, by).toBeLessThan(1e-9);
    }
  });
});
