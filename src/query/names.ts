import { NONE, type ProcessIndex, type ThreadIndex, type Trace } from '../trace/tables.ts';

/** "worker (1234)", or "thread 1234" without a name: threads of equal name stay apart. */
export function threadName(trace: Trace, thread: ThreadIndex): string {
  // The system cuts names at 15 characters, which may leave a space.
  const name = trace.threads.name[thread].trimEnd();
  const id = trace.threads.osId[thread];
  return name === '' ? `thread ${id}` : `${name} (${id})`;
}

/** "csc (4711)". */
export function processName(trace: Trace, process: ProcessIndex): string {
  return `${trace.processes.name[process] || 'process'} (${trace.processes.pid[process]})`;
}

/** The spellings a filter may use for one row of each table, its name first. */
export const threadSpellings = (trace: Trace) => (thread: number) => [
  trace.threads.name[thread] || threadName(trace, thread),
  threadName(trace, thread),
  String(trace.threads.osId[thread]),
];
export const processSpellings = (trace: Trace) => (process: number) => [
  trace.processes.name[process] || processName(trace, process),
  processName(trace, process),
  String(trace.processes.pid[process]),
];
export const functionSpellings = (trace: Trace) => (fn: number) => [trace.functions.name[fn], qualifiedName(trace, fn)];

/** "module!function", which tells functions of equal name apart. */
export function qualifiedName(trace: Trace, fn: number): string {
  return `${moduleOfFunction(trace, fn) ?? '?'}!${trace.functions.name[fn]}`;
}

export function moduleOfFunction(trace: Trace, fn: number): string | undefined {
  const module = trace.functions.module[fn];
  return module === NONE ? undefined : trace.modules.name[module];
}

/** Last part of a source path, of either system's kind. */
export function fileName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}
