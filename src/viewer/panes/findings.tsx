import type { JSX } from 'preact';
import type { Row } from '../../query/rows.ts';
import { type Dimension, FACETS, type View } from '../../trace/view.ts';
import { NOTHING_GREW, type Piece, type Statement, sectionsOf } from '../../wording/findings.ts';
import { filterTexts } from '../../wording/view.ts';
import { useAnswer } from '../answers.ts';
import { qualifiedRow } from '../functions.ts';
import { go, type Place, type Tab, view } from '../place.ts';
import { Refusal } from '../widgets/refusal.tsx';

const PROCESSES = 4;

/** The report's sentences: each name in them filters by it, and a link at the end leads to the figures. */
export function Findings(): JSX.Element {
  const asked = useAnswer('report', () => ({ view: view.value }));
  const { answer, error, waiting } = asked.value;
  if (error !== undefined) return <Refusal text={error} />;
  if (answer === undefined) return <p class="empty">{waiting ? 'Looking for what grew …' : ''}</p>;
  const sections = sectionsOf(answer, PROCESSES);
  return (
    <div class={`findings${waiting ? ' waiting' : ''}`}>
      {sections.map(({ title, statements, more }) => (
        <section key={title}>
          <h2>{title}</h2>
          <ul>
            {statements.map((statement) => (
              <Finding key={statement.text} statement={statement} />
            ))}
            {more && <li class="dim more">{more}</li>}
          </ul>
        </section>
      ))}
      {sections.length === 0 && (
        <p class="empty">{NOTHING_GREW} Take a filter away, or choose a longer stretch of time.</p>
      )}
    </div>
  );
}

function Finding({ statement }: { readonly statement: Statement }): JSX.Element {
  const { label, pieces } = statement;
  const proof = proofOf(statement);
  return (
    <li class={`finding${label ? ' finding-labelled' : ''}`}>
      {label && <b>{label}</b>}
      <span>
        {pieces.map((piece, i) => (
          <PieceText key={String(i)} piece={piece} />
        ))}{' '}
        {proof && (
          <button type="button" class="plain proof" title={proof.title} onClick={() => go(proof.place)}>
            {proof.text}
          </button>
        )}
      </span>
    </li>
  );
}

function PieceText({ piece: { text, named } }: { readonly piece: Piece }): JSX.Element {
  if (named === undefined) return <>{text}</>;
  const { title, place } = linkOf(named.dimension, named.row);
  return (
    <button type="button" class="plain name" title={title} onClick={() => go(place())}>
      {text}
    </button>
  );
}

/** What a click on a name does: it filters by that name and nothing else; of a line, which is no filter, it shows the code. */
function linkOf(dimension: Dimension, row: Row): { readonly title: string; place(): Partial<Place> } {
  if (dimension === 'line') return { title: 'show the code', place: () => ({ fn: qualifiedRow(row) }) };
  if (dimension === 'function') {
    const fn = qualifiedRow(row);
    return {
      title: 'only stacks that hold this function, and its code',
      place: () => ({ fn, view: { ...view.value, functions: [fn] } }),
    };
  }
  return {
    title: `only this ${dimension === 'kind' ? 'memory' : dimension}`,
    place: () => ({ view: { ...view.value, [FACETS[dimension]]: [row.name] } }),
  };
}

const TABS_OF: Record<Dimension, Tab> = {
  process: 'hotspots',
  kind: 'hotspots',
  heap: 'types',
  type: 'types',
  thread: 'threads',
  module: 'hotspots',
  function: 'hotspots',
  line: 'hotspots',
};

interface Proof {
  readonly text: string;
  readonly title: string;
  readonly place: Partial<Place>;
}

/** Where the figures of a statement are listed, with the filters that they suppose. */
function proofOf({ about, dimension, view: proven }: Statement): Proof | undefined {
  if (about === 'resident' || about === 'unrecorded') return undefined;
  const tab = about === 'heap' ? 'heap' : dimension === undefined ? 'hotspots' : TABS_OF[dimension];
  // JSON has null for "no end".
  const shown: View = { ...proven, to: proven.to ?? Number.POSITIVE_INFINITY };
  const filters = filterTexts(shown);
  const title = filters.length === 0 ? 'list them' : `list them, which filters by ${filters.join('; ')}`;
  return { text: about === 'heap' ? 'collections' : 'list', title, place: { view: shown, tab } };
}
