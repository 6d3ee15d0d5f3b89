import { parentPort } from 'node:worker_threads';
import type { Trace } from '../trace/tables.ts';
import { answerQuestion } from './answer.ts';
import type { Job } from './messages.ts';

/** A worker thread that holds traces and answers one question after the other. */

const held = new Map<number, { readonly generation: number; readonly trace: Trace }>();

parentPort?.on('message', async ({ traceId, generation, trace, question, search }: Job) => {
  if (trace !== undefined) held.set(traceId, { generation, trace });
  const known = held.get(traceId);
  if (known === undefined) throw new Error(`trace ${traceId} was never sent`);
  parentPort?.postMessage(await answerQuestion(known, question, search));
});
