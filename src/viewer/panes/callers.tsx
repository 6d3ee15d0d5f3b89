import type { ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { AroundAnswer } from '../../query/around.ts';
import type { Answer } from '../../query/rows.ts';
import type { TreeRow } from '../../query/tree.ts';
import { type Asked, useAnswer } from '../answers.ts';
import { place, view } from '../place.ts';
import { TreeGrid } from '../widgets/tree-grid.tsx';

const NODES = 500;
const calleesOf = (answer: Answer<TreeRow>) => (answer as AroundAnswer).callees;

/** All calls of the selected function merged: who called it, and what it called. */
export function Callers(): JSX.Element {
  const asked: ReadonlySignal<Asked<AroundAnswer>> = useAnswer('around', () =>
    place.value.fn === '' ? undefined : { view: view.value, of: place.value.fn, limit: NODES },
  );
  if (place.value.fn === '')
    return (
      <p class="empty">
        Select a function, in the call tree, under Hotspots or in the flame graph, to see who calls it.
      </p>
    );
  const name = asked.value.answer?.function ?? place.value.fn;
  return (
    <div class="two">
      <section>
        <h2>Callers of {name}</h2>
        <TreeGrid label="callers" asked={asked} ownTitle="Roots" />
      </section>
      <section>
        <h2>What {name} calls</h2>
        <TreeGrid label="callees" asked={asked} rows={calleesOf} />
      </section>
    </div>
  );
}
