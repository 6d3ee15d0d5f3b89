import { holds } from '../trace/search.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import { FACETS, type Facet, type View } from '../trace/view.ts';
import { answer, figuresOf } from './answer.ts';
import { derived } from './derived.ts';
import { sumSubtrees } from './functions.ts';
import { rowsOf } from './match.ts';
import { processName, processSpellings, threadName, threadSpellings } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { sumByStack } from './sum-by.ts';
import { addSums, ROWS, type Sums, totalOf, WIDTH } from './sums.ts';
import { type TopOptions, top } from './top.ts';

/** A row one can filter by. */
export interface FacetRow extends Row {
  /** False when the view's own filter of this dimension leaves it out. */
  readonly selected: boolean;
}

/**
 * What the view holds by `facet` when its own filter of that facet is left out, so that one can see what else there is
 * and switch to it; all other filters apply. A row's figure is what its filter selects: modules are filtered by where they
 * stand on a stack, so their rows overlap, and there is no "other".
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function facet(trace: Trace, view: View, by: Facet, limit: number, options?: TopOptions): Answer<FacetRow> {
  const without: View = { ...view, [FACETS[by]]: [] };
  const found = by === 'module' ? onStack(trace, without, limit, options) : top(trace, without, by, limit, options);
  const selected = selectedNames(trace, by, view[FACETS[by]]);
  return {
    ...found,
    view,
    rows: found.rows.map((row) => ({ ...row, selected: selected === undefined || selected.has(row.name) })),
  };
}

/** By module: what the stacks that hold it allocated. */
function onStack(trace: Trace, view: View, limit: number, { search = '' }: TopOptions = {}): Answer {
  const selection = select(trace, view);
  const byStack = sumByStack(trace, selection, view.unit);
  const { names, ofFunction, firstOccurrence } = derived(trace).moduleNames;
  const { stacks, frames } = trace;
  const total = totalOf(byStack);
  const sums: Sums = new Float64Array(names.length * WIDTH);
  sumSubtrees(trace, byStack);
  for (let stack = 0; stack < stacks.length; stack++) {
    if (firstOccurrence[stack + 1] === 0 || byStack[(stack + 1) * WIDTH + ROWS] === 0) continue;
    const name = ofFunction[frames.function[stacks.frame[stack]]];
    if (name !== NONE) addSums(sums, name, byStack, stack + 1);
  }
  const rows = names
    .map((name, row): Row => ({ name, ...figuresOf(sums, row, total, view.unit) }))
    .filter(({ name }, row) => sums[row * WIDTH + ROWS] > 0 && holds([name], search))
    .sort((a, b) => b[view.unit] - a[view.unit] || (a.name < b.name ? -1 : 1));
  return answer(trace, view, total, rows.slice(0, limit), selection.warnings);
}

/** The names of the rows that the texts select; undefined when every row is. */
function selectedNames(trace: Trace, by: Facet, texts: readonly string[]): Set<string> | undefined {
  if (texts.length === 0) return undefined;
  if (by === 'kind' || by === 'heap') return new Set(texts);
  const { length, spellings, name } = tableOf(trace, by);
  return new Set(texts.flatMap((text) => rowsOf(length, spellings, text).map(name)));
}

interface NamedTable {
  readonly length: number;
  /** What a filter may call a row, and what its row in an answer is called. */
  spellings(row: number): readonly string[];
  name(row: number): string;
}

function tableOf(trace: Trace, by: Exclude<Facet, 'kind' | 'heap'>): NamedTable {
  const plain = ({ length, name }: { length: number; name: readonly string[] }): NamedTable => ({
    length,
    spellings: (row) => [name[row]],
    name: (row) => name[row],
  });
  switch (by) {
    case 'type':
      return plain(trace.types);
    case 'module':
      return plain(trace.modules);
    case 'thread':
      return {
        length: trace.threads.length,
        spellings: threadSpellings(trace),
        name: (row) => threadName(trace, row),
      };
    case 'process':
      return {
        length: trace.processes.length,
        spellings: processSpellings(trace),
        name: (row) => processName(trace, row),
      };
  }
}
