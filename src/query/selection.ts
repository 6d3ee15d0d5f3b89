import { HEAPS, KINDS } from '../trace/kinds.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { type Match, matchRows } from './match.ts';
import { functionSpellings, processSpellings, threadSpellings } from './names.ts';
import { type Part, partsOf, residentPart } from './parts.ts';

/** The allocations a view selects: of each part the rows whose combination and whose thread pass its filters. */
export interface Selection {
  readonly parts: readonly SelectedPart[];
  readonly warnings: readonly string[];
}

export interface SelectedPart extends Part {
  /** 1 per row of the table's combinations that is selected; undefined: all. */
  readonly combinationMask: Uint8Array | undefined;
  /** 1 per thread that is selected, see {@link slots}; undefined: all. */
  readonly threadMask: Uint8Array | undefined;
}

/**
 * @throws TraceError when the metric needs release times and the trace has none.
 */
export function select(trace: Trace, view: View): Selection {
  const { parts, warnings } = partsOf(trace, view);
  const masks = masksOf(trace, view, warnings);
  return { parts: parts.map((part) => selected(part, masks)), warnings };
}

/** The selection of a view's resident bytes, see {@link residentPart}. */
export function selectResident(trace: Trace, view: View): Selection | undefined {
  const part = residentPart(trace, view);
  return part && { parts: [selected(part, masksOf(trace, view, []))], warnings: [] };
}

type MaskedColumn = 'kind' | 'heap' | 'type' | 'thread' | 'stack';

/** Per column that the view filters: which of its values are selected, see {@link slots}. */
type Masks = Partial<Record<MaskedColumn, Uint8Array>>;

function masksOf(trace: Trace, view: View, warnings: string[]): Masks {
  const masks: Masks = {};
  if (view.kinds.length > 0) masks.kind = slots(KINDS.map((kind) => view.kinds.includes(kind)));
  if (view.heaps.length > 0) masks.heap = slots(HEAPS.map((heap) => view.heaps.includes(heap)));
  if (view.types.length > 0) {
    const match = matchRows(trace.types.length, (row) => [trace.types.name[row]], view.types, 'types');
    warnings.push(...match.warnings);
    masks.type = slots(match.mask);
  }
  if (view.threads.length > 0 || view.processes.length > 0) masks.thread = slots(threadMask(trace, view, warnings));
  if (view.functions.length > 0 || view.modules.length > 0) masks.stack = stackMask(trace, view, warnings);
  return masks;
}

function selected(part: Part, { thread, ...masks }: Masks): SelectedPart {
  return { ...part, combinationMask: combinationMask(part, masks), threadMask: thread };
}

function combinationMask({ table: { combinations } }: Part, masks: Omit<Masks, 'thread'>): Uint8Array | undefined {
  const columns = Object.keys(masks) as (keyof typeof masks)[];
  if (columns.length === 0) return undefined;
  const mask = new Uint8Array(combinations.length).fill(1);
  for (const column of columns) narrow(mask, combinations[column], masks[column]!);
  return mask;
}

/** Takes out of `mask` what `selected` does not hold of the values of `column`, see {@link slots}. */
function narrow(mask: Uint8Array, column: Uint8Array | Int32Array, selected: Uint8Array): void {
  for (let one = 0; one < mask.length; one++) mask[one] &= selected[column[one] + 1];
}

/** 1 per process that the view's `processes` select. */
export function processMask(trace: Trace, view: View): Match {
  return matchRows(trace.processes.length, processSpellings(trace), view.processes, 'processes');
}

/** A mask with a place for NONE in front: row r is at r + 1, NONE is never selected. */
function slots(mask: ArrayLike<number | boolean>): Uint8Array {
  const result = new Uint8Array(mask.length + 1);
  for (let i = 0; i < mask.length; i++) result[i + 1] = mask[i] ? 1 : 0;
  return result;
}

function threadMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const threads = matchRows(trace.threads.length, threadSpellings(trace), view.threads, 'threads');
  const processes = processMask(trace, view);
  warnings.push(...threads.warnings, ...processes.warnings);
  return threads.mask.map((selected, thread) => selected & (processes.mask[trace.threads.process[thread]] ?? 0));
}

/** Per stack slot: 1 when the stack holds one of the functions and one of the modules, wherever each filter is set. */
function stackMask(trace: Trace, view: View, warnings: string[]): Uint8Array {
  const { stacks, frames, functions } = trace;
  const byFunction = matchRows(functions.length, functionSpellings(trace), view.functions, 'functions');
  const byModule = matchRows(trace.modules.length, (row) => [trace.modules.name[row]], view.modules, 'modules');
  warnings.push(...byFunction.warnings, ...byModule.warnings);
  const FUNCTION = 1;
  const MODULE = 2;
  const none = (view.functions.length === 0 ? FUNCTION : 0) | (view.modules.length === 0 ? MODULE : 0);
  const found = new Uint8Array(stacks.length + 1).fill(none);
  for (let stack = 0; stack < stacks.length; stack++) {
    const fn = frames.function[stacks.frame[stack]];
    const module = functions.module[fn];
    const here = (byFunction.mask[fn] ? FUNCTION : 0) | (module !== NONE && byModule.mask[module] ? MODULE : 0);
    found[stack + 1] |= found[stacks.prefix[stack] + 1] | here;
  }
  const mask = found.map((bits) => (bits === (FUNCTION | MODULE) ? 1 : 0));
  mask[0] = 0;
  return mask;
}
