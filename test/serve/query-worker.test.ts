import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import type { Job, Reply } from '../../src/serve/messages.ts';
import { shareTrace } from '../../src/trace/share.ts';
import { DIMENSIONS } from '../../src/trace/view.ts';
import { shop } from '../query/traces.ts';
import { built } from './support.ts';

test('what is rehearsed meanwhile is no answer to anybody', async () => {
  const worker = new Worker(built('query-worker.js'));
  const replies: Reply[] = [];
  const heard = () => new Promise<void>((resolve) => worker.once('message', () => resolve()));
  worker.on('message', (reply: Reply) => replies.push(reply));
  const job = { traceId: 0, generation: 1, question: 'top' };
  for (const [i, by] of DIMENSIONS.entries()) {
    const next = heard();
    worker.postMessage({ ...job, search: `by=${by}`, ...(i === 0 && { trace: shareTrace(shop()) }) } satisfies Job);
    await next;
    // Some questions come while it rehearses, some after it has.
    await new Promise((resolve) => setTimeout(resolve, [0, 31, 200][i % 3]));
  }
  await worker.terminate();
  expect(replies.map(({ status }) => status)).toEqual(DIMENSIONS.map(() => 200));
  const totals = replies.map(({ body }) => JSON.parse(body).answer.total.bytes);
  expect(new Set(totals)).toEqual(new Set([totals[0]]));
});
