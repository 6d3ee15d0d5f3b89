import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { FacetRow } from '../../query/facet.ts';
import { type AskedView, FACETS, type Facet } from '../../trace/view.ts';
import { formatShare } from '../../wording/figures.ts';
import { rowName } from '../../wording/rows.ts';
import { useAnswer } from '../answers.ts';
import { changeView, view } from '../place.ts';
import { Bar, exactText, figureText } from '../widgets/figures.tsx';

const TITLES: Record<Facet, string> = {
  kind: 'Memory',
  heap: 'GC heap',
  type: 'Type',
  thread: 'Thread',
  module: 'Module on the stack',
  process: 'Process',
};
/** Rows of a list; more come with its button. */
const ROWS = 8;
const MORE_ROWS = 60;

/** Lists of what one can narrow by, each with what its own filter hides greyed. */
export function Filters(): JSX.Element {
  return (
    <nav class="filters" aria-label="filters">
      {(Object.keys(FACETS) as Facet[]).map((by) => (
        <FacetList key={by} by={by} />
      ))}
    </nav>
  );
}

const searches = Object.fromEntries(Object.keys(FACETS).map((by) => [by, signal('')])) as Record<
  Facet,
  ReturnType<typeof signal<string>>
>;
const limits = Object.fromEntries(Object.keys(FACETS).map((by) => [by, signal(ROWS)])) as Record<
  Facet,
  ReturnType<typeof signal<number>>
>;

function FacetList({ by }: { readonly by: Facet }): JSX.Element | null {
  const search = searches[by];
  const limit = limits[by];
  const asked = useAnswer('facet', () => ({
    view: view.value,
    by,
    limit: limit.value ?? ROWS,
    search: search.value ?? '',
  }));
  const { answer, error, waiting } = asked.value;
  const filter: readonly string[] = view.value[FACETS[by]];
  const rows = (answer?.rows ?? []).filter((row) => !(row.other && row.folded === 0));
  const isUnused = error === undefined && filter.length === 0 && search.value === '';
  // Native memory has no heaps and no types, and one process is no choice.
  const isNothing = rows.every(({ name }) => name === 'none' || name === '[no type]');
  if (isUnused && (isNothing || (by === 'process' && rows.length < 2))) return null;
  const known = rows.length + (rows.find((row) => row.other)?.folded ?? 0);
  return (
    <section class={`facet${waiting ? ' waiting' : ''}`}>
      <h2>
        {TITLES[by]}
        {filter.length > 0 && (
          <button type="button" class="plain" onClick={() => changeView({ [FACETS[by]]: [] })}>
            all
          </button>
        )}
      </h2>
      {(known > ROWS || search.value !== '') && by !== 'kind' && by !== 'heap' && (
        <input
          type="search"
          placeholder="search"
          aria-label={`search ${TITLES[by]}`}
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
      )}
      {error && <p class="empty">cannot be counted so</p>}
      <ul>
        {rows.map((row) => (
          <li key={row.other ? '\u0000other' : row.name}>
            {row.other ? (
              <button
                type="button"
                class="facet-row other"
                title="show more of them"
                onClick={() => {
                  limit.value = MORE_ROWS;
                }}
              >
                <FacetFigures by={by} row={row} unit={view.value.unit} />
              </button>
            ) : (
              <button
                type="button"
                class={`facet-row${row.selected ? '' : ' muted'}`}
                aria-pressed={filter.length > 0 && row.selected}
                disabled={row.name.startsWith('[')}
                title={`${rowName(row, by)}\n${exactText(view.value.unit, row[view.value.unit])}\nclick: only this; Ctrl or ⌘ and click: this too`}
                onClick={(event) => choose(by, filter, row, event.ctrlKey || event.metaKey)}
              >
                <FacetFigures by={by} row={row} unit={view.value.unit} />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface FacetFiguresProps {
  readonly by: Facet;
  readonly row: FacetRow;
  readonly unit: AskedView['unit'];
}

function FacetFigures({ by, row, unit }: FacetFiguresProps): JSX.Element {
  return (
    <>
      <span class="name">{rowName(row, by)}</span>
      <span class="number">{figureText(unit, row)}</span>
      <span class="number dim">{formatShare(row.share)}</span>
      <Bar share={row.share} kind={by === 'kind' ? row.name : ''} />
    </>
  );
}

/** A click narrows to the row, or takes its filter away again; with Ctrl or ⌘ it is added to the others or taken out. */
function choose(by: Facet, filter: readonly string[], row: FacetRow, alsoOthers: boolean): void {
  const isOn = filter.includes(row.name);
  const rest = filter.filter((name) => name !== row.name);
  const next = alsoOthers ? (isOn ? rest : [...filter, row.name]) : isOn && rest.length === 0 ? [] : [row.name];
  changeView({ [FACETS[by]]: next });
}
