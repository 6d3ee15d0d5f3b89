import { type ReadonlySignal, signal, useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { AnswerOf, ParamsOf, QuestionName, TraceList } from '../serve/api.ts';
import type { AskedView } from '../trace/view.ts';
import { viewToParams } from '../trace/view-params.ts';
import { place } from './place.ts';

/** What a pane knows of its question; the answer before stays until the new one is here. */
export interface Asked<A> {
  readonly answer?: A;
  /** Why there is none, as a sentence for the user. */
  readonly error?: string;
  readonly waiting: boolean;
}

/** Raised when a trace was read further, so that everything is asked again. */
export const generation = signal(0);
/** How many questions are on their way. */
export const busy = signal(0);
/** False once the server does not answer any more. */
export const connected = signal(true);

/** Small: what Back and switching tabs ask again. */
const CACHE_SIZE = 100;
const cache = new Map<string, unknown>();

/** The View and the question's own parameters. */
export type Parameters<Q extends QuestionName> = { readonly view: AskedView } & ParamsOf<Q>;

/**
 * Asks `question` about the trace at hand, again whenever a signal that `parameters` reads changes. A question that is
 * not wanted any more is taken back. `parameters` gives undefined where nothing is to be asked.
 */
export function useAnswer<Q extends QuestionName>(
  question: Q,
  parameters: () => Parameters<Q> | undefined,
): ReadonlySignal<Asked<AnswerOf<Q>>> {
  const asked = useSignal<Asked<AnswerOf<Q>>>({ waiting: true });
  const url = useComputed(() => {
    const given = parameters();
    return given && urlOf(question, place.value.trace, given);
  });
  useSignalEffect(() => {
    if (url.value === undefined) {
      asked.value = { waiting: false };
      return;
    }
    const key = `${generation.value} ${url.value}`;
    if (cache.has(key)) {
      asked.value = { answer: cache.get(key) as AnswerOf<Q>, waiting: false };
      return;
    }
    // What is shown stays, and is asked for once memsurge answers again.
    if (!connected.value) return;
    const before = asked.peek().answer;
    asked.value = { ...(before !== undefined && { answer: before }), waiting: true };
    const abort = new AbortController();
    fetchAnswer<Q>(key, url.value, abort.signal).then(
      (answer) => {
        if (!abort.signal.aborted) asked.value = { answer, waiting: false };
      },
      (error: Error) => {
        if (!abort.signal.aborted) asked.value = { error: error.message, waiting: false };
      },
    );
    return () => abort.abort();
  });
  return asked;
}

/** Asks once. @throws Error with a sentence for the user. */
export async function ask<Q extends QuestionName>(question: Q, parameters: Parameters<Q>): Promise<AnswerOf<Q>> {
  const url = urlOf(question, place.peek().trace, parameters);
  return fetchAnswer(`${generation.peek()} ${url}`, url);
}

export async function askTraces(): Promise<TraceList> {
  return (await get('api/traces')) as TraceList;
}

function urlOf<Q extends QuestionName>(question: Q, trace: number, { view, ...others }: Parameters<Q>): string {
  const params = viewToParams(view);
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined && value !== '') params.set(name, String(value));
  }
  return `api/traces/${trace}/${question}?${params}`;
}

async function fetchAnswer<Q extends QuestionName>(
  key: string,
  url: string,
  abort?: AbortSignal,
): Promise<AnswerOf<Q>> {
  // Not ++: who asks from inside an effect must not come to depend on it.
  busy.value = busy.peek() + 1;
  try {
    const { answer } = (await get(url, abort)) as { answer: AnswerOf<Q> };
    cache.set(key, answer);
    for (const old of cache.keys()) if (cache.size > CACHE_SIZE) cache.delete(old);
    return answer;
  } finally {
    busy.value = busy.peek() - 1;
  }
}

async function get(url: string, abort?: AbortSignal): Promise<unknown> {
  const response = await fetch(url, abort ? { signal: abort } : {}).catch((error: Error) => {
    if (!abort?.aborted) connected.value = false;
    throw error.name === 'AbortError' ? error : new Error('memsurge does not answer: was "memsurge view" ended?');
  });
  connected.value = true;
  const body = (await response.json()) as { error?: string };
  if (body.error !== undefined) throw new Error(body.error);
  return body;
}
