import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { FacetRow } from '../../query/facet.ts';
import { FACETS, type Facet } from '../../trace/view.ts';
import { formatShare } from '../../wording/figures.ts';
import { rowName } from '../../wording/rows.ts';
import { useAnswer } from '../answers.ts';
import { changeView, view } from '../place.ts';
import { Bar, exactText, figureText } from '../widgets/figures.tsx';
import { TypeName } from '../widgets/type-name.tsx';

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

const searches = ofEach(() => signal(''));
const limits = ofEach(() => signal(ROWS));

function ofEach<T>(make: () => T): Record<Facet, T> {
  return Object.fromEntries(Object.keys(FACETS).map((by) => [by, make()])) as Record<Facet, T>;
}

function FacetList({ by }: { readonly by: Facet }): JSX.Element | null {
  const search = searches[by];
  const limit = limits[by].value;
  const asked = useAnswer('facet', () => ({ view: view.value, by, limit: limits[by].value, search: search.value }));
  // What the metric cannot tell of is listed by what was allocated, so that one can still narrow or leave a filter.
  const allocated = useAnswer('facet', () =>
    asked.value.error === undefined
      ? undefined
      : { view: { ...view.value, metric: 'allocated' }, by, limit: limits[by].value, search: search.value },
  );
  const { error, waiting } = asked.value;
  const { answer } = error === undefined ? asked.value : allocated.value;
  const filter: readonly string[] = view.value[FACETS[by]];
  const rows = answer?.rows ?? [];
  const isUnused = filter.length === 0 && search.value === '';
  // Native memory has no heaps and no types, and one process is no choice.
  const isNothing = rows.every(({ name }) => name === 'none' || name === '[no type]');
  if (isUnused && (isNothing || (by === 'process' && rows.length < 2))) return null;
  const isCut = rows.length >= limit;
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
      {(isCut || search.value !== '') && by !== 'kind' && by !== 'heap' && (
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
      {error !== undefined && by === 'kind' && (
        <p class="empty">What was allocated: {view.value.metric} cannot be counted here, see beside.</p>
      )}
      <ul>
        {rows.map((row) => (
          <li key={row.other ? '\u0000other' : row.name}>
            <FacetButton by={by} row={row} filter={filter} />
          </li>
        ))}
        {isCut && limit < MORE_ROWS && (
          <li>
            <button
              type="button"
              class="plain more"
              onClick={() => {
                limits[by].value = MORE_ROWS;
              }}
            >
              show more
            </button>
          </li>
        )}
      </ul>
    </section>
  );
}

interface FacetButtonProps {
  readonly by: Facet;
  readonly row: FacetRow;
  /** What the view's filter of this facet holds. */
  readonly filter: readonly string[];
}

function FacetButton({ by, row, filter }: FacetButtonProps): JSX.Element {
  const { unit } = view.value;
  const isFilter = row.other !== true && !row.name.startsWith('[');
  const help = isFilter ? '\nclick: only this; Ctrl or ⌘ and click: this too' : '';
  return (
    <button
      type="button"
      class={`facet-row${row.other ? ' other' : row.selected ? '' : ' muted'}`}
      aria-pressed={filter.length > 0 && row.selected}
      disabled={!isFilter}
      title={`${rowName(row, by)}\n${exactText(unit, row[unit])}${help}`}
      onClick={(event) => choose(by, filter, row, event.ctrlKey || event.metaKey)}
    >
      <span class="name">{by === 'type' ? <TypeName name={rowName(row, by)} /> : rowName(row, by)}</span>
      <span class="number">{figureText(unit, row)}</span>
      <span class="number dim">{formatShare(row.share)}</span>
      <Bar share={row.share} kind={by === 'kind' ? row.name : ''} />
    </button>
  );
}

/** A click narrows to the row, or takes its filter away again; with Ctrl or ⌘ it is added to the others or taken out. */
function choose(by: Facet, filter: readonly string[], row: FacetRow, alsoOthers: boolean): void {
  const isOn = filter.includes(row.name);
  const rest = filter.filter((name) => name !== row.name);
  const next = alsoOthers ? (isOn ? rest : [...filter, row.name]) : isOn && rest.length === 0 ? [] : [row.name];
  changeView({ [FACETS[by]]: next });
}
