import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Trace } from '../trace/tables.ts';
import type { TraceState } from './api.ts';
import { type LoaderMessage, lineOf } from './messages.ts';
import type { Loaded } from './pool.ts';

export interface Traces {
  states(): TraceState[];
  find(id: string): ServedTrace | undefined;
  close(): Promise<void>;
}

interface ServedTrace extends Loaded {
  readonly state: TraceState;
}

/** The traces at `paths`, numbered from 0, each opened by a thread of its own that runs `script` (see loader.ts). */
export function loadTraces(paths: readonly string[], script: URL): Traces {
  const all = paths.map((path, id) => createServedTrace(id, path));
  const loaders = all.map(({ hear }, id) => {
    const loader = new Worker(script, { workerData: paths[id] });
    loader.on('message', hear);
    loader.on('error', (error) => hear({ about: 'failed', error: lineOf(error) }));
    return loader;
  });
  return {
    states: () => all.map(({ served }) => served.state),
    find: (id) => (/^\d+$/.test(id) ? all[Number(id)]?.served : undefined),
    async close() {
      await Promise.all(loaders.map((loader) => loader.terminate()));
    },
  };
}

/** One trace and what its loader tells of it. */
export function createServedTrace(
  id: number,
  path: string,
): { readonly served: ServedTrace; hear(message: LoaderMessage): void } {
  let trace: Trace | undefined;
  let state: TraceState = {
    id,
    name: basename(path),
    path,
    phase: 'reading',
    text: 'opening',
    fraction: null,
    generation: 0,
  };
  return {
    served: {
      id,
      get generation() {
        return state.generation;
      },
      get trace() {
        return trace;
      },
      get state() {
        return state;
      },
    },
    hear(message) {
      switch (message.about) {
        case 'progress':
          state = { ...state, text: message.text, fraction: message.fraction ?? null };
          break;
        case 'preview':
          trace = message.trace;
          state = { ...state, generation: 1 };
          break;
        case 'complete':
          trace = message.trace;
          state = { ...state, phase: 'ready', text: '', fraction: 1, generation: 2 };
          break;
        case 'failed':
          state = { ...state, phase: 'failed', text: '', fraction: null, error: message.error };
      }
    },
  };
}
