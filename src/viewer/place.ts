import { computed, signal } from '@preact/signals';
import { type AskedView, DEFAULT_VIEW } from '../trace/view.ts';
import { viewFromParams, viewToParams } from '../trace/view-params.ts';

export const TABS = {
  findings: 'Findings',
  tree: 'Call tree',
  hotspots: 'Hotspots',
  callers: 'Callers',
  flame: 'Flame graph',
  types: 'Types',
  threads: 'Threads',
  heap: 'GC heap',
  recording: 'Recording',
} as const;
export type Tab = keyof typeof TABS;

/** Where the user is: all of it is in the URL, so that it can be linked, reloaded, and walked with Back. */
export interface Place {
  readonly trace: number;
  readonly view: AskedView;
  readonly tab: Tab;
  /** The selected function as "module!name"; empty when there is none. */
  readonly fn: string;
  /** Trees from what allocated up to its callers. */
  readonly inverted: boolean;
  /** The part of the recording that the timeline shows, ns; undefined: all of it. */
  readonly zoom?: { readonly from: number; readonly to: number } | undefined;
}

const { metric: _, ...EMPTY_VIEW } = DEFAULT_VIEW;
const EMPTY: Place = { trace: 0, view: EMPTY_VIEW, tab: 'findings', fn: '', inverted: false };

/** A URL that was edited by hand into nonsense shows everything, with the reason. */
export const badUrl = signal('');
const current = signal<Place>(read());
export const place = computed(() => current.value);
export const view = computed(() => current.value.view);

addEventListener('popstate', () => {
  current.value = read();
});

/** Goes to another place, a step that Back undoes; `replace` is for what is not worth a step. */
export function go(change: Partial<Place>, step: 'push' | 'replace' = 'push'): void {
  const next = { ...current.value, ...change };
  const url = urlOf(next);
  if (url === urlOf(current.value)) return;
  if (step === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  badUrl.value = '';
  current.value = next;
}

export function changeView(change: Partial<AskedView>): void {
  go({ view: { ...view.value, ...change } });
}

/** Takes away every filter; what is counted stays. */
export function clearFilters(): void {
  const { metric, unit, hideSystem } = view.value;
  go({ view: { ...EMPTY_VIEW, unit, hideSystem, ...(metric && { metric }) } });
}

function urlOf({ trace, view, tab, fn, inverted, zoom }: Place): string {
  const params = viewToParams(view);
  if (trace !== EMPTY.trace) params.set('trace', String(trace));
  if (tab !== EMPTY.tab) params.set('tab', tab);
  if (fn !== '') params.set('fn', fn);
  if (inverted) params.set('inverted', '1');
  if (zoom) params.set('zoom', `${zoom.from}-${zoom.to}`);
  const query = params.toString();
  return query === '' ? location.pathname : `?${query}`;
}

function read(): Place {
  const params = new URLSearchParams(location.search);
  try {
    const tab = params.get('tab') ?? EMPTY.tab;
    const zoom = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(params.get('zoom') ?? '');
    return {
      trace: Number(params.get('trace') ?? 0) || 0,
      view: viewFromParams(params),
      tab: tab in TABS ? (tab as Tab) : EMPTY.tab,
      fn: params.get('fn') ?? '',
      inverted: params.get('inverted') === '1',
      ...(zoom && { zoom: { from: Number(zoom[1]), to: Number(zoom[2]) } }),
    };
  } catch (error) {
    badUrl.value = `The address of this page has a filter that cannot be: ${(error as Error).message}.`;
    return EMPTY;
  }
}
