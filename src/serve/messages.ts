import { messageOf, TraceError } from '../trace/errors.ts';
import type { Trace } from '../trace/tables.ts';

/** What the server and its worker threads say to each other. */

/** From a loader, in this order; it ends after one of the last two. */
export type LoaderMessage =
  | { readonly about: 'progress'; readonly text: string; readonly fraction: number | undefined }
  | { readonly about: 'preview' | 'complete'; readonly trace: Trace }
  | { readonly about: 'failed'; readonly error: string };

/** To a query worker: one question, and its trace where the worker does not hold this generation of it yet. */
export interface Job {
  readonly traceId: number;
  readonly generation: number;
  readonly trace?: Trace;
  readonly question: string;
  /** Query string with the View's and the question's parameters. */
  readonly search: string;
}

/** From a query worker: the HTTP status and the JSON text. */
export interface Reply {
  readonly status: 200 | 400 | 404 | 409 | 500 | 503;
  readonly body: string;
}

/** Any error as one line: ours say what to do, of others the first line without the stack. */
export function lineOf(error: unknown): string {
  if (error instanceof TraceError) return error.message;
  return `unexpected error: ${messageOf(error).split('\n')[0]}`;
}
