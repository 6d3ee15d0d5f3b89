import type { ReadonlySignal } from '@preact/signals';
import type { Answer } from '../../query/rows.ts';
import { type Asked, useAnswer } from '../answers.ts';
import { view } from '../place.ts';
import { trace } from '../traces.ts';

/** How much the view shows, of what whole, with what error and which warnings. */
export function useShown(): ReadonlySignal<Asked<Answer>> {
  return useAnswer('top', () => (trace.value?.generation ? { view: view.value, by: 'kind', limit: 20 } : undefined));
}
