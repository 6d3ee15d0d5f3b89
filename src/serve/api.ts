import type * as v from 'valibot';
import type { CodeAnswer } from '../query/code.ts';
import type { QUESTIONS } from './questions.ts';

/**
 * The API of the page, below the server's secret path. Types only: what is here runs nowhere.
 *
 * - `GET api/traces` answers {@link TraceList}.
 * - `GET api/traces/ID/QUESTION?…` answers {@link Answered}, or {@link Refused} with status 400 (a wrong parameter), 404 (no
 *   such trace or question), 409 (nothing of the trace is loaded yet). What this trace cannot answer is an answer: a
 *   {@link Refused} with status 200, since a browser notes every other one as an error. Parameters
 *   are those of the View (see trace/view-params.ts) and the question's own ({@link ParamsOf}).
 *
 * JSON has no Infinity and no NaN: where an answer's types say number, such a figure is null. A View without an end has
 * `to: null`; `viewToParams` takes it as it is.
 */
export interface TraceList {
  /** Of memsurge. */
  readonly version: string;
  readonly traces: readonly TraceState[];
}

export interface TraceState {
  readonly id: number;
  /** Last part of the path. */
  readonly name: string;
  readonly path: string;
  readonly phase: 'reading' | 'ready' | 'failed';
  /** What is being done while `reading`, else empty. */
  readonly text: string;
  /** Part of the trace that was read, 0–1; null when not known. */
  readonly fraction: number | null;
  /** 0: nothing can be asked yet; 1: a preview without allocations; 2: the whole trace. */
  readonly generation: number;
  /** Why it `failed`, one line. */
  readonly error?: string;
}

export interface Answered<Q extends QuestionName> {
  /** Generation of the trace that was asked. */
  readonly generation: number;
  readonly answer: AnswerOf<Q>;
}

export interface Refused {
  readonly error: string;
}

export type QuestionName = keyof typeof QUESTIONS;

/** The question's own parameters, as they may be given. */
export type ParamsOf<Q extends QuestionName> = v.InferInput<(typeof QUESTIONS)[Q]['params']>;

export type AnswerOf<Q extends QuestionName> = Q extends 'code'
  ? CodeWithSource
  : ReturnType<(typeof QUESTIONS)[Q]['answer']>;

export interface CodeWithSource extends CodeAnswer {
  /** The whole file; without `lines` the warnings say where it was looked for. */
  readonly source: { readonly lines?: readonly string[]; readonly warnings: readonly string[] };
}
