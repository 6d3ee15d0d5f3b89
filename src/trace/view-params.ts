import { TraceError } from './errors.ts';
import { HEAPS, KINDS } from './kinds.ts';
import { type AskedView, DEFAULT_VIEW, METRICS, UNITS } from './view.ts';

/** Names of the parameters with a list of values, each given once per value. */
const LISTS = {
  processes: 'process',
  kinds: 'kind',
  heaps: 'heap',
  types: 'type',
  threads: 'thread',
  modules: 'module',
  functions: 'function',
} as const;

/** All parameters that spell a View; a question's own parameters stand beside them. */
export const VIEW_PARAMS: ReadonlySet<string> = new Set([
  ...Object.values(LISTS),
  'from',
  'to',
  'hide-system',
  'metric',
  'unit',
]);

/** The View as URL parameters, what it leaves at its default left out. Times are in ns. */
export function viewToParams(view: AskedView): URLSearchParams {
  const params = new URLSearchParams();
  for (const [filter, name] of Object.entries(LISTS) as [keyof typeof LISTS, string][]) {
    for (const value of view[filter]) params.append(name, value);
  }
  if (view.from > 0) params.set('from', String(view.from));
  // What came out of JSON has null for "no end".
  if (Number.isFinite(view.to)) params.set('to', String(view.to));
  if (view.hideSystem) params.set('hide-system', '1');
  if (view.metric !== undefined) params.set('metric', view.metric);
  if (view.unit !== DEFAULT_VIEW.unit) params.set('unit', view.unit);
  return params;
}

/**
 * The View that `params` spell; parameters other than {@link VIEW_PARAMS} are nobody's here.
 * @throws TraceError with one line on a value that cannot be.
 */
export function viewFromParams(params: URLSearchParams): AskedView {
  const metric = single(params, 'metric');
  const view: AskedView = {
    processes: params.getAll(LISTS.processes),
    kinds: params.getAll(LISTS.kinds).map((text) => oneOf(LISTS.kinds, text, KINDS)),
    heaps: params.getAll(LISTS.heaps).map((text) => oneOf(LISTS.heaps, text, HEAPS)),
    types: params.getAll(LISTS.types),
    threads: params.getAll(LISTS.threads),
    modules: params.getAll(LISTS.modules),
    functions: params.getAll(LISTS.functions),
    from: timeOf(params, 'from', DEFAULT_VIEW.from),
    to: timeOf(params, 'to', DEFAULT_VIEW.to),
    hideSystem: oneOf('hide-system', single(params, 'hide-system') ?? '0', ['0', '1']) === '1',
    unit: oneOf('unit', single(params, 'unit') ?? DEFAULT_VIEW.unit, UNITS),
    ...(metric !== undefined && { metric: oneOf('metric', metric, METRICS) }),
  };
  if (view.from > view.to) throw new TraceError('from is later than to, so no time is left between them');
  return view;
}

function single(params: URLSearchParams, name: string): string | undefined {
  const values = params.getAll(name);
  if (values.length > 1) throw new TraceError(`${name} is given ${values.length} times, but can only be one`);
  return values[0];
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  if (!(allowed as readonly string[]).includes(text)) {
    throw new TraceError(`"${text}" is no ${name}; allowed: ${allowed.join(', ')}`);
  }
  return text as T;
}

function timeOf(params: URLSearchParams, name: string, absent: number): number {
  const text = single(params, name);
  if (text === undefined) return absent;
  const time = Number(text);
  if (!/^\d/.test(text) || !Number.isFinite(time)) {
    throw new TraceError(`${name}=${text} is no time; give nanoseconds from the start of the recording`);
  }
  return time;
}
