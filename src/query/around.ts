import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { answer } from './answer.ts';
import { addUp, type Branch, groupCallers, mergeCallees, outermost } from './branches.ts';
import { inclusiveByFunction, oneFunction } from './functions.ts';
import { moduleOfFunction } from './names.ts';
import type { Answer } from './rows.ts';
import { select } from './selection.ts';
import { sumByStack } from './sum-by.ts';
import { callsOf, prune, type TreeRow } from './tree.ts';

/** A function with its callers above and its callees below, over all stacks that hold it. */
export interface AroundAnswer extends Answer<TreeRow> {
  readonly function: string;
  readonly module: string;
  /** What was allocated under the function, by the functions it calls. The answer's own rows are its callers. */
  readonly callees: readonly TreeRow[];
}

/**
 * All calls of one function merged: who calls it and what it calls, each a tree of the `limit` heaviest nodes whose root
 * is the function. A recursion counts once, by its outermost call, so both trees have the function's own total.
 * @throws TraceError when `text` selects no function or several, or the trace cannot answer the view's metric.
 */
export function around(trace: Trace, view: View, text: string, limit = Number.POSITIVE_INFINITY): AroundAnswer {
  const selection = select(trace, view);
  const inclusive = () => inclusiveByFunction(trace, view.hideSystem, sumByStack(trace, selection, view.unit));
  const fn = oneFunction(trace, text, inclusive, view.unit);
  const summed = callsOf(trace, view, selection);
  const nodes = outermost(summed, fn);
  const total = addUp(summed.inclusive, nodes);
  const callees: Branch = {
    group: fn,
    sums: total,
    own: addUp(summed.own, nodes),
    at: 0,
    expand: () => mergeCallees(summed, nodes),
  };
  const rows = prune(trace, view, groupCallers(summed.calls, summed.inclusive, nodes, nodes), total, limit);
  return {
    ...answer(trace, view, total, rows, selection.warnings),
    function: trace.functions.name[fn],
    module: moduleOfFunction(trace, fn) ?? '',
    callees: nodes.length === 0 ? [] : prune(trace, view, [callees], total, limit),
  };
}
