import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { SYSTEM_CODE } from './functions.ts';
import type { Answer } from './rows.ts';
import { top } from './top.ts';

/** More than this part of the whole is most of it. */
export const DOMINANT = 0.5;

/** Functions with the system's code folded, unless more than half has nothing else: a program that came with the system. */
export function functionsOf(trace: Trace, asked: View, limit: number): { view: View; answer: Answer } {
  const view: View = { ...asked, hideSystem: true };
  const answer = top(trace, view, 'function', limit);
  const first = answer.rows.at(0);
  if (first?.name !== SYSTEM_CODE || first.share <= DOMINANT) return { view, answer };
  const unfolded: View = { ...view, hideSystem: false };
  return { view: unfolded, answer: top(trace, unfolded, 'function', limit) };
}
