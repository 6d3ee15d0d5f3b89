import type { JSX } from 'preact';
import { clearFilters, go, view } from '../place.ts';

/** Why a pane has nothing to show, and a way on. */
export function Refusal({ text }: { readonly text: string }): JSX.Element {
  const { metric, ...rest } = view.value;
  return (
    <div class="empty" role="alert">
      <p class="refusal">{text}</p>
      <p>
        {metric !== undefined && (
          <button type="button" onClick={() => go({ view: rest })}>
            count what can be counted
          </button>
        )}{' '}
        <button type="button" onClick={clearFilters}>
          take all filters away
        </button>
      </p>
    </div>
  );
}
