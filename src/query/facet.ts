import type { Trace } from '../trace/tables.ts';
import { FACETS, type Facet, type View } from '../trace/view.ts';
import { rowsOf } from './match.ts';
import { processName, processSpellings, threadName, threadSpellings } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { type TopOptions, top } from './top.ts';

/** A row one can filter by. */
export interface FacetRow extends Row {
  /** False when the view's own filter of this dimension leaves it out. */
  readonly selected: boolean;
}

/**
 * What the view holds by `facet` when its own filter of that facet is left out, so that one can see what else there is
 * and switch to it; all other filters apply.
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function facet(trace: Trace, view: View, by: Facet, limit: number, options?: TopOptions): Answer<FacetRow> {
  const asked: readonly string[] = view[FACETS[by]];
  const answer = top(trace, { ...view, [FACETS[by]]: [] }, by, limit, options);
  const selected = selectedNames(trace, by, asked);
  return {
    ...answer,
    view,
    rows: answer.rows.map((row) => ({ ...row, selected: selected === undefined || selected.has(row.name) })),
  };
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
