import { HEAPS, KINDS } from '../trace/kinds.ts';
import { once } from '../trace/once.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { blindSpotsOf } from './blind.ts';
import { type Cube, cubeByStack } from './cubes.ts';
import { type Match, matchRows } from './match.ts';
import { functionSpellings, processSpellings, threadSpellings } from './names.ts';
import { type Part, partsOf, residentParts } from './parts.ts';
import { createRecent, type Recent } from './recent.ts';
import type { Column, RowFilter } from './sums.ts';

/** The allocations a view selects: of each part the rows whose combination and whose thread pass its filters. */
export interface Selection {
  readonly parts: readonly SelectedPart[];
  /** Something of it was missed, or is too much: neither exact nor with an error that is known. */
  readonly isInexact: boolean;
  readonly warnings: readonly string[];
}

/** A part and what is selected of it; the masks of {@link RowFilter} say the same as `masks`. */
export interface SelectedPart extends Part, RowFilter {
  readonly masks: Masks;
}

/**
 * @throws TraceError when the metric needs release times and the trace has none.
 */
export function select(trace: Trace, view: View): Selection {
  const { parts, warnings } = partsOf(trace, view);
  const masks = masksOf(trace, view, warnings);
  const spots = blindSpotsOf(trace, view, processMask(trace, view).mask);
  const isInexact = spots.some(({ effect }) => effect === 'inexact');
  return { parts: parts.map((part) => selected(part, masks)), isInexact, warnings };
}

/** The selections of what was measured of a view, and of what of it was in memory, see {@link residentParts}. */
export function selectResident(trace: Trace, view: View): { measured: Selection; resident: Selection } | undefined {
  const parts = residentParts(trace, view);
  if (parts === undefined) return undefined;
  const masks = masksOf(trace, view, []);
  const selectionOf = (part: Part): Selection => ({ parts: [selected(part, masks)], isInexact: false, warnings: [] });
  return { measured: selectionOf(parts.measured), resident: selectionOf(parts.resident) };
}

/** Per column that the view filters: which of its values are selected, see {@link slots}. */
export type Masks = Partial<Record<Column, Uint8Array>>;

function masksOf(trace: Trace, view: View, warnings: string[]): Masks {
  const masks: Masks = {};
  if (view.kinds.length > 0) masks.kind = slots(KINDS.map((kind) => view.kinds.includes(kind)));
  if (view.heaps.length > 0) masks.heap = slots(HEAPS.map((heap) => view.heaps.includes(heap)));
  if (view.types.length > 0) {
    const match = matches(trace, 'types', trace.types.length, (row) => [trace.types.name[row]], view.types);
    warnings.push(...match.warnings);
    masks.type = slots(match.mask);
  }
  if (view.threads.length > 0 || view.processes.length > 0) masks.thread = slots(threadMask(trace, view, warnings));
  if (view.functions.length > 0 || view.modules.length > 0) masks.stack = stackMask(trace, view, warnings);
  return masks;
}

function selected(part: Part, masks: Masks): SelectedPart {
  const combinationMask = once(() => maskOf(cubeByStack(part.table), masks));
  return {
    ...part,
    masks,
    get combinationMask() {
      return combinationMask();
    },
    threadMask: masks.thread,
  };
}

/** 1 per cell of the cube that passes the masks of its columns; undefined: all. */
export function maskOf({ length, columns }: Cube, masks: Masks): Uint8Array | undefined {
  const filtered = (Object.keys(masks) as Column[]).filter((column) => columns[column] !== undefined);
  if (filtered.length === 0) return undefined;
  const mask = new Uint8Array(length).fill(1);
  for (const column of filtered) narrow(mask, columns[column]!, masks[column]!);
  return mask;
}

/** Takes out of `mask` what `selected` does not hold of the values of `column`, see {@link slots}. */
function narrow(mask: Uint8Array, column: Uint8Array | Int32Array, selected: Uint8Array): void {
  for (let one = 0; one < mask.length; one++) mask[one] &= selected[column[one] + 1];
}

/** 1 per process that the view's `processes` select. */
export function processMask(trace: Trace, view: View): Match {
  return matches(trace, 'processes', trace.processes.length, processSpellings(trace), view.processes);
}

/** A mask with a place for NONE in front: row r is at r + 1, NONE is never selected. */
function slots(mask: ArrayLike<number | boolean>): Uint8Array {
  const result = new Uint8Array(mask.length + 1);
  for (let i = 0; i < mask.length; i++) result[i + 1] = mask[i] ? 1 : 0;
  return result;
}

function threadMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const threads = matches(trace, 'threads', trace.threads.length, threadSpellings(trace), view.threads);
  const processes = processMask(trace, view);
  warnings.push(...threads.warnings, ...processes.warnings);
  return threads.mask.map((selected, thread) => selected & (processes.mask[trace.threads.process[thread]] ?? 0));
}

/** Per stack slot: 1 when the stack holds one of the functions and one of the modules, wherever each filter is set. */
function stackMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const { functions, modules } = trace;
  const byFunction = matches(trace, 'functions', functions.length, functionSpellings(trace), view.functions);
  const byModule = matches(trace, 'modules', modules.length, (row) => [modules.name[row]], view.modules);
  warnings.push(...byFunction.warnings, ...byModule.warnings);
  return recentOf(trace).stackMasks(JSON.stringify([view.functions, view.modules]), () =>
    findStacks(trace, view, byFunction.mask, byModule.mask),
  );
}

function findStacks(trace: Trace, view: View, functionMask: Uint8Array, moduleMask: Uint8Array): Uint8Array {
  const { stacks, frames, functions } = trace;
  const FUNCTION = 1;
  const MODULE = 2;
  const none = (view.functions.length === 0 ? FUNCTION : 0) | (view.modules.length === 0 ? MODULE : 0);
  const found = new Uint8Array(stacks.length + 1).fill(none);
  for (let stack = 0; stack < stacks.length; stack++) {
    const fn = frames.function[stacks.frame[stack]];
    const module = functions.module[fn];
    const here = (functionMask[fn] ? FUNCTION : 0) | (module !== NONE && moduleMask[module] ? MODULE : 0);
    found[stack + 1] |= found[stacks.prefix[stack] + 1] | here;
  }
  const mask = found.map((bits) => (bits === (FUNCTION | MODULE) ? 1 : 0));
  mask[0] = 0;
  return mask;
}

/** {@link matchRows} of one of the trace's tables. */
function matches(
  trace: Trace,
  what: string,
  length: number,
  names: (row: number) => readonly string[],
  texts: readonly string[],
): Match {
  return recentOf(trace).matches(JSON.stringify([what, texts]), () => matchRows(length, names, texts, what));
}

/** What filters select, of those asked for last: the questions of a View have the same, and so have the steps of a report. */
interface RecentFilters {
  readonly matches: Recent<Match>;
  readonly stackMasks: Recent<Uint8Array>;
}

const recent = new WeakMap<Trace, RecentFilters>();

function recentOf(trace: Trace): RecentFilters {
  const known = recent.get(trace) ?? { matches: createRecent(8), stackMasks: createRecent(2) };
  recent.set(trace, known);
  return known;
}
