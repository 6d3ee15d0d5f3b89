import type { JSX } from 'preact';
import type { ReportAnswer, ShareFinding } from '../../query/report.ts';
import type { Dimension } from '../../trace/view.ts';
import { type Statement, sectionsOf } from '../../wording/findings.ts';
import { useAnswer } from '../answers.ts';
import { qualifiedRow } from '../functions.ts';
import { go, type Place, type Tab, view } from '../place.ts';
import { Refusal } from '../widgets/refusal.tsx';

const PROCESSES = 4;

/** The report's sentences; each leads to the view that proves it. */
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
              <li key={statement.text}>
                <button
                  type="button"
                  class={`finding${statement.label ? ' finding-labelled' : ''}`}
                  onClick={() => go(placeOf(statement, answer))}
                >
                  {statement.label && <b>{statement.label}</b>}
                  <span>{statement.text}</span>
                </button>
              </li>
            ))}
            {more && <li class="dim more">{more}</li>}
          </ul>
        </section>
      ))}
      {sections.length === 0 && (
        <p class="empty">Nothing grew in this view. Take a filter away, or choose a longer stretch of time.</p>
      )}
    </div>
  );
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

/** Where a statement is proved; of a function and a line the code is shown too. */
function placeOf(statement: Statement, answers: readonly ReportAnswer[]): Partial<Place> {
  const { about, dimension } = statement;
  // JSON has null for "no end".
  const proof = { ...statement.view, to: statement.view.to ?? Number.POSITIVE_INFINITY };
  if (about === 'heap') return { view: proof, tab: 'heap' };
  if (dimension === undefined) return { view: proof, tab: about === 'resident' ? 'findings' : 'hotspots' };
  const share = answers
    .flatMap(({ findings }) => findings)
    .find(
      (finding): finding is ShareFinding =>
        finding.about === 'share' && finding.dimension === dimension && finding.view === statement.view,
    );
  const row = share?.rows[0];
  const fn = row && (dimension === 'function' || dimension === 'line') ? qualifiedRow(row) : undefined;
  return { view: proof, tab: TABS_OF[dimension], ...(fn !== undefined && { fn }) };
}
