import { parentPort, workerData } from 'node:worker_threads';
import type { Trace } from '../trace/tables.ts';
import { answerQuestion } from './answer.ts';
import type { Job } from './messages.ts';

/** A worker thread that holds traces and answers one question after the other. */

interface Held {
  readonly generation: number;
  readonly trace: Trace;
  /** What is still to be rehearsed. */
  readonly rehearsals: (readonly [question: string, search: string])[];
}

/**
 * Asked when nobody asks: the answers are thrown away, but the tables that are kept for them are made, so that nobody waits
 * for these. Each makes a few, as a question that comes meanwhile does wait.
 */
const REHEARSALS: Held['rehearsals'] = [
  ['top', 'by=kind'],
  ['top', 'by=module'],
  ['top', 'by=function'],
  ['top', 'by=line'],
  ['facet', 'by=module'],
  ['tree', ''],
  ['tree', 'direction=callers'],
  ['top', 'by=function&hide-system=1'],
  ['top', 'by=line&hide-system=1'],
  ['tree', 'hide-system=1'],
  ['report', ''],
];
/** So long nobody asks before that. */
const IDLE_MS = 30;

const held = new Map<number, Held>();
let idle: NodeJS.Timeout | undefined;

parentPort?.on('message', async ({ traceId, generation, trace, question, search }: Job) => {
  clearTimeout(idle);
  if (trace !== undefined) held.set(traceId, { generation, trace, rehearsals: [...REHEARSALS] });
  const known = held.get(traceId);
  if (known === undefined) throw new Error(`trace ${traceId} was never sent`);
  parentPort?.postMessage(await answerQuestion(known, question, search, workerData?.sourceRoots));
  idle = setTimeout(rehearse, IDLE_MS, known);
});

function rehearse(known: Held): void {
  const next = known.rehearsals.shift();
  if (next === undefined) return;
  // It never throws, and of these nothing is read from the disk.
  void answerQuestion(known, ...next);
  // A question that came meanwhile is heard before, and takes this back.
  idle = setTimeout(rehearse, 0, known);
}
