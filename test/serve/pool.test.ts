import { afterEach, describe, expect, test } from 'vitest';
import { createPool, type Loaded, type QueryPool } from '../../src/serve/pool.ts';
import type { Trace } from '../../src/trace/tables.ts';

const script = new URL('./blocking-worker.mjs', import.meta.url);
const pools: QueryPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function newPool(size: number): QueryPool {
  const pool = createPool(script, size);
  pools.push(pool);
  return pool;
}

/** A stand-in for a trace, whose workers wait until `release` is called. */
function blockingTrace(): { loaded: { id: number; generation: number; trace: Trace }; release(): void } {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  return {
    loaded: { id: 0, generation: 1, trace: { flag } as unknown as Trace },
    release() {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    },
  };
}

const forever = new AbortController().signal;

async function ask(pool: QueryPool, loaded: Loaded, question: string, signal = forever) {
  const reply = await pool.ask(loaded, question, '', signal);
  return reply && { status: reply.status, ...JSON.parse(reply.body) };
}

test('a question whose asker goes away while it waits is never computed', async () => {
  const { loaded, release } = blockingTrace();
  const pool = newPool(1);
  const controller = new AbortController();
  const slow = ask(pool, loaded, 'wait');
  const dropped = ask(pool, loaded, 'unwanted', controller.signal);
  const kept = ask(pool, loaded, 'wanted');
  controller.abort();
  expect(await dropped).toBeUndefined();
  expect(await ask(pool, loaded, 'late', AbortSignal.abort())).toBeUndefined();
  release();
  expect((await slow).asked).toEqual(['wait']);
  expect((await kept).asked).toEqual(['wait', 'wanted']);
});

test('going away later changes nothing', async () => {
  const { loaded, release } = blockingTrace();
  const pool = newPool(1);
  const controller = new AbortController();
  const slow = ask(pool, loaded, 'wait', controller.signal);
  controller.abort();
  release();
  expect(await slow).toMatchObject({ status: 200, asked: ['wait'] });
  expect((await ask(pool, loaded, 'next')).asked).toEqual(['wait', 'next']);
});

test('a slow question does not hold up a fast one', async () => {
  const { loaded, release } = blockingTrace();
  const pool = newPool(2);
  const slow = ask(pool, loaded, 'wait');
  for (const fast of ['a', 'b', 'c']) expect((await ask(pool, loaded, fast)).asked).not.toContain('wait');
  release();
  expect((await slow).asked).toEqual(['wait']);
});

test('a worker gets each generation of a trace once, and a waiting question the newest', async () => {
  const { loaded, release } = blockingTrace();
  const pool = newPool(1);
  const slow = ask(pool, loaded, 'wait');
  const waiting = ask(pool, loaded, 'a');
  loaded.generation = 2;
  release();
  expect(await slow).toMatchObject({ held: 1, sent: true });
  expect(await waiting).toMatchObject({ held: 2, sent: true });
  expect(await ask(pool, loaded, 'b')).toMatchObject({ held: 2, sent: false });
});

describe('a worker that breaks', () => {
  test('is an error of its question alone, one line, and is replaced', async () => {
    const { loaded } = blockingTrace();
    const pool = newPool(1);
    const broken = ask(pool, loaded, 'break');
    const next = ask(pool, loaded, 'next');
    expect(await broken).toEqual({ status: 500, error: 'unexpected error: broken' });
    expect(await next).toMatchObject({ status: 200, asked: ['next'], sent: true });
  });
});

test('closing ends what still waits', async () => {
  const { loaded } = blockingTrace();
  const pool = newPool(1);
  const slow = ask(pool, loaded, 'wait');
  const waiting = ask(pool, loaded, 'a');
  await pool.close();
  expect(await waiting).toBeUndefined();
  expect(await slow).toMatchObject({ status: 500 });
});
