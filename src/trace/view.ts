import type { Heap, Kind } from './kinds.ts';

/**
 * What is counted, over the range [from, to] of the view:
 * `allocated` in it; `unreleased`: allocated in it and not released by its end; `temporary`: allocated and released in
 * it; `live`: not released by its end, whenever allocated; `net`: allocated minus released in it; `peak`: held when the
 * native heap of the process was at its highest in the recording.
 */
export const METRICS = ['allocated', 'unreleased', 'temporary', 'live', 'net', 'peak'] as const;
export type Metric = (typeof METRICS)[number];

export const UNITS = ['bytes', 'count'] as const;
export type Unit = (typeof UNITS)[number];

/** What rows can be grouped by. */
export const DIMENSIONS = ['kind', 'heap', 'type', 'thread', 'function', 'line', 'module', 'process'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/**
 * One View is what flags, URL and HTTP carry, so no two surfaces can disagree. Values inside one filter are
 * alternatives; different filters narrow each other. An empty list filters nothing.
 *
 * A text in `types`, `threads`, `modules`, `functions` and `processes` selects, in this order: the rows of exactly that
 * name; else, with a `*` in it, those that match it as a pattern; else those whose last part is that name
 * ("LoadCustomerAttachments"); else those that contain it, in any case.
 */
export interface View {
  readonly processes: readonly string[];
  /** Range in ns since the start of the recording. */
  readonly from: number;
  readonly to: number;
  readonly kinds: readonly Kind[];
  readonly heaps: readonly Heap[];
  readonly types: readonly string[];
  readonly threads: readonly string[];
  /** Modules and functions select allocations whose stack holds one of them anywhere. */
  readonly modules: readonly string[];
  readonly functions: readonly string[];
  /** Fold frames of the runtime and its framework into the user function that called them. */
  readonly hideSystem: boolean;
  readonly metric: Metric;
  readonly unit: Unit;
}

/** A View as it is asked for: without a metric it means what is asked first of its memory, see query/parts.ts. */
export type AskedView = Omit<View, 'metric'> & { readonly metric?: Metric };

/** Dimensions that a View can filter by the names of their rows, and the list of it that does. */
export const FACETS = {
  kind: 'kinds',
  heap: 'heaps',
  type: 'types',
  thread: 'threads',
  module: 'modules',
  process: 'processes',
} as const satisfies Partial<Record<Dimension, keyof View>>;
export type Facet = keyof typeof FACETS;

export const DEFAULT_VIEW: View = {
  processes: [],
  from: 0,
  to: Number.POSITIVE_INFINITY,
  kinds: [],
  heaps: [],
  types: [],
  threads: [],
  modules: [],
  functions: [],
  hideSystem: false,
  metric: 'allocated',
  unit: 'bytes',
};
