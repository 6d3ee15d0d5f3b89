import { HEAPS, KINDS } from '../trace/kinds.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { type Match, matchRows } from './match.ts';
import { functionSpellings, processSpellings, threadSpellings } from './names.ts';
import { type Part, partsOf, residentPart } from './parts.ts';

/** Keeps the first `length` of `rows` that pass, in place, and returns how many they are. */
type RowFilter = (rows: Uint32Array, length: number) => number;

/** The allocations a view selects: of each part the rows that pass its filters. */
export interface Selection {
  readonly parts: readonly SelectedPart[];
  readonly warnings: readonly string[];
}

export interface SelectedPart extends Part {
  readonly filters: readonly RowFilter[];
}

/**
 * @throws TraceError when the metric needs release times and the trace has none.
 */
export function select(trace: Trace, view: View): Selection {
  const { parts, warnings } = partsOf(trace, view);
  const masks = masksOf(trace, view, warnings);
  return { parts: parts.map((part) => ({ ...part, filters: filtersOf(part, masks) })), warnings };
}

/** The selection of a view's resident bytes, see {@link residentPart}. */
export function selectResident(trace: Trace, view: View): Selection | undefined {
  const part = residentPart(trace, view);
  return part && { parts: [{ ...part, filters: filtersOf(part, masksOf(trace, view, [])) }], warnings: [] };
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

function filtersOf(part: Part, masks: Masks): RowFilter[] {
  const filters: RowFilter[] = part.counts === undefined ? [] : [countsFilter(part.counts)];
  for (const [column, mask] of Object.entries(masks) as [MaskedColumn, Uint8Array][]) {
    filters.push(maskFilter(part.table[column], mask));
  }
  return filters;
}

function countsFilter(counts: (row: number) => boolean): RowFilter {
  return (rows, length) => {
    let kept = 0;
    for (let k = 0; k < length; k++) if (counts(rows[k])) rows[kept++] = rows[k];
    return kept;
  };
}

/** Rows per block: its numbers stay in the processor's cache while the filters narrow them. */
const BLOCK = 1 << 14;

/**
 * Calls `visit` with the selected rows in ascending order, block by block: `rows[0 … length)`, overwritten after the call,
 * or all of [start, start + length) where `rows` is undefined.
 */
export function forEachBlock(
  part: SelectedPart,
  visit: (rows: Uint32Array | undefined, start: number, length: number) => void,
): void {
  const { first, end, filters } = part;
  if (filters.length === 0) {
    visit(undefined, first, end - first);
    return;
  }
  const rows = new Uint32Array(BLOCK);
  for (let start = first; start < end; start += BLOCK) {
    let length = Math.min(BLOCK, end - start);
    for (let k = 0; k < length; k++) rows[k] = start + k;
    for (const filter of filters) length = filter(rows, length);
    visit(rows, start, length);
  }
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

/** Keeps the rows whose value in `column` the mask holds, see {@link slots}. */
function maskFilter(column: Uint8Array | Int32Array, mask: Uint8Array): RowFilter {
  return (rows, length) => keepRows(rows, length, column, mask);
}

function keepRows(rows: Uint32Array, length: number, column: Uint8Array | Int32Array, mask: Uint8Array): number {
  let kept = 0;
  for (let k = 0; k < length; k++) {
    const row = rows[k];
    // Without a branch: which rows a mask holds is as good as random to the processor.
    rows[kept] = row;
    kept += mask[column[row] + 1];
  }
  return kept;
}
