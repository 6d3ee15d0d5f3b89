import type { JSX } from 'preact';
import { useCallback } from 'preact/hooks';
import { ask, useAnswer } from '../answers.ts';
import { go, place, view } from '../place.ts';
import { TreeGrid } from '../widgets/tree-grid.tsx';

/** Nodes of the first answer, and of what is opened in it. */
const NODES = 600;
const NODES_BELOW = 300;

/** From the threads' roots down to what allocated, or turned over. */
export function CallTree(): JSX.Element {
  const asked = useAnswer('tree', () => ({
    view: view.value,
    direction: place.value.inverted ? 'callers' : 'callees',
    limit: NODES,
  }));
  const more = useCallback(async (path: readonly number[]) => {
    const direction = place.peek().inverted ? 'callers' : 'callees';
    const answer = await ask('tree', { view: view.peek(), direction, under: path.join('.'), limit: NODES_BELOW });
    return answer.rows;
  }, []);
  return (
    <TreeGrid label={place.value.inverted ? 'tree of callers' : 'call tree'} asked={asked} more={more}>
      <label class="check" title="callers below what they called (i)">
        <input
          type="checkbox"
          checked={place.value.inverted}
          onChange={(event) => go({ inverted: event.currentTarget.checked })}
        />
        callers below
      </label>
      <span class="dim">e opens the hot path</span>
    </TreeGrid>
  );
}
