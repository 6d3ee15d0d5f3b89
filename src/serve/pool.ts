import { Worker } from 'node:worker_threads';
import type { Trace } from '../trace/tables.ts';
import { type Job, lineOf, type Reply } from './messages.ts';

/** A trace that can be asked; a later generation of it knows more. */
export interface Loaded {
  readonly id: number;
  readonly generation: number;
  readonly trace: Trace | undefined;
}

export interface QueryPool {
  /**
   * Asks as soon as a worker is free, the newest generation that `loaded` has then. Undefined when `signal` was aborted
   * while the question still waited: it is then never computed.
   */
  ask(loaded: Loaded, question: string, search: string, signal: AbortSignal): Promise<Reply | undefined>;
  close(): Promise<void>;
}

interface Waiting {
  readonly loaded: Loaded;
  readonly question: string;
  readonly search: string;
  settle(reply: Reply | undefined): void;
}

interface Slot {
  worker: Worker | undefined;
  /** Generation of each trace that the worker holds. */
  readonly held: Map<number, number>;
  asked: Waiting | undefined;
}

/**
 * `size` threads that run `script` (see query-worker.ts), each started when it is first needed and again after it broke:
 * a question that takes long holds up none that another thread can answer.
 */
export function createPool(script: URL, size: number, workerData?: unknown): QueryPool {
  const slots = Array.from({ length: size }, (): Slot => ({ worker: undefined, held: new Map(), asked: undefined }));
  const waiting: Waiting[] = [];

  const next = (): void => {
    for (const slot of slots) {
      if (slot.asked !== undefined) continue;
      slot.asked = waiting.shift();
      if (slot.asked === undefined) return;
      slot.worker ??= start(slot);
      slot.worker.postMessage(jobFor(slot, slot.asked));
    }
  };
  const answered = (slot: Slot, reply: Reply): void => {
    const { asked } = slot;
    slot.asked = undefined;
    asked?.settle(reply);
    next();
  };
  const start = (slot: Slot): Worker => {
    const worker = new Worker(script, { workerData });
    const broke = (error: unknown) => {
      if (slot.worker !== worker) return;
      slot.worker = undefined;
      slot.held.clear();
      answered(slot, { status: 500, body: JSON.stringify({ error: lineOf(error) }) });
    };
    worker.on('message', (reply: Reply) => answered(slot, reply));
    worker.on('error', broke);
    worker.on('exit', () => broke(new Error('the query thread ended')));
    return worker;
  };

  return {
    ask: (loaded, question, search, signal) =>
      new Promise((resolve) => {
        const drop = () => {
          const at = waiting.indexOf(asked);
          if (at < 0) return;
          waiting.splice(at, 1);
          resolve(undefined);
        };
        const asked: Waiting = {
          loaded,
          question,
          search,
          settle(reply) {
            signal.removeEventListener('abort', drop);
            resolve(reply);
          },
        };
        waiting.push(asked);
        signal.addEventListener('abort', drop);
        if (signal.aborted) drop();
        next();
      }),
    async close() {
      for (const { settle } of waiting.splice(0)) settle(undefined);
      await Promise.all(slots.map(({ worker }) => worker?.terminate()));
    },
  };
}

function jobFor({ held }: Slot, { loaded, question, search }: Waiting): Job {
  const { id, generation, trace } = loaded;
  const isHeld = held.get(id) === generation;
  held.set(id, generation);
  return { traceId: id, generation, question, search, ...(!isHeld && trace && { trace }) };
}
