import { TraceError } from '../trace/errors.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { amountOf, answer, figureOf, figuresOf } from './answer.ts';
import { createBestFirst } from './best-first.ts';
import { type Branch, calleeBranches, callerBranches, type SummedCalls, sumCalls, totalOfCalls } from './branches.ts';
import { derived } from './derived.ts';
import { functionLabel } from './functions.ts';
import type { Answer, Row } from './rows.ts';
import { type Selection, select } from './selection.ts';
import { sumByStackGroup } from './sum-by.ts';
import { addSums, BYTES, COUNT, type Sums, totalOf, WIDTH } from './sums.ts';

/**
 * A node of the call tree. `bytes` and `count` are those of the node with all below it; own and children add up to it.
 * Top-down, own is what the function itself allocated; in a tree of callers, what was allocated with no further caller.
 */
export interface TreeRow extends Row {
  /** Names the node among its siblings, see {@link TreeOptions.under}; the same function has the same in one trace. */
  readonly id: number;
  readonly ownBytes: number;
  readonly ownCount: number;
  readonly children: readonly TreeRow[];
}

export type TreeDirection = 'callees' | 'callers';

export interface TreeOptions {
  /** How many nodes are shown: the heaviest of the whole tree, which always form a tree. All unless told. */
  readonly limit?: number;
  /** Shows only what is below the node with this path of ids from a root; shares stay those of the whole. */
  readonly under?: readonly number[];
}

/** The id of the row "other", which has no path. */
const OTHER = -1;

/**
 * The call tree of `view`: from the thread's root down (`callees`), or from the allocating function up (`callers`).
 * What a node does not show of its children is its child "other".
 * @throws TraceError when the trace cannot answer the view's metric, or has no node at `under`.
 */
export function tree(
  trace: Trace,
  view: View,
  direction: TreeDirection,
  { limit = Number.POSITIVE_INFINITY, under = [] }: TreeOptions = {},
): Answer<TreeRow> {
  const selection = select(trace, view);
  const { roots, total } = direction === 'callees' ? callees(trace, view, selection) : callers(trace, view, selection);
  const rows = prune(trace, view, descend(roots, under), total, limit);
  return answer(trace, view, total, rows, selection.warnings);
}

/** The roots of a tree, and what they hold together. */
interface Roots {
  readonly roots: Branch[];
  readonly total: Sums;
}

function callees(trace: Trace, view: View, selection: Selection): Roots {
  const summed = callsOf(trace, view, selection);
  return { roots: calleeBranches(summed), total: totalOfCalls(summed) };
}

function callers(trace: Trace, view: View, selection: Selection): Roots {
  const { calls, own } = ownByCall(trace, view, selection);
  return { roots: callerBranches(calls, own), total: totalOf(own) };
}

/** The calls of the view with what each allocated. */
export function callsOf(trace: Trace, view: View, selection: Selection): SummedCalls {
  const { calls, own } = ownByCall(trace, view, selection);
  return sumCalls(calls, own);
}

function ownByCall(trace: Trace, view: View, selection: Selection): Pick<SummedCalls, 'calls' | 'own'> {
  const calls = derived(trace).callTree(view.hideSystem);
  return { calls, own: sumByStackGroup(trace, selection, view.unit, calls.ofSlot, calls.length) };
}

function descend(roots: Branch[], path: readonly number[]): Branch[] {
  let branches = roots;
  for (const id of path) {
    const next = branches.find(({ group }) => group === id);
    if (next === undefined) throw new TraceError('this part of the call tree holds nothing in this view');
    branches = next.expand();
  }
  return branches;
}

interface Shown {
  readonly branch: Branch;
  readonly children: Shown[];
  hidden: Branch[];
}

/** The `limit` heaviest branches as rows, taken best first: a branch is weighed only once its parent is shown. */
export function prune(trace: Trace, view: View, roots: Branch[], total: Sums, limit: number): TreeRow[] {
  const open = createBestFirst<{ branch: Branch; siblings: Shown }>();
  const root: Shown = {
    branch: { group: NONE, sums: total, own: total, at: 0, expand: () => roots },
    children: [],
    hidden: [],
  };
  const show = (shown: Shown) => {
    shown.hidden = shown.branch.expand();
    for (const branch of shown.hidden)
      open.push(Math.abs(figureOf(branch.sums, branch.at, view.unit)), { branch, siblings: shown });
  };
  show(root);
  for (let count = 0; count < limit; count++) {
    const next = open.pop();
    if (next === undefined) break;
    const shown: Shown = { branch: next.branch, children: [], hidden: [] };
    next.siblings.children.push(shown);
    show(shown);
  }
  return childRows(trace, view, root, total);
}

function childRows(trace: Trace, view: View, shown: Shown, total: Sums): TreeRow[] {
  const rows: TreeRow[] = shown.children.map((child) => ({
    ...labelled(trace, view, child.branch, total),
    children: childRows(trace, view, child, total),
  }));
  const visible = new Set(shown.children.map((child) => child.branch));
  const rest = shown.hidden.filter((branch) => !visible.has(branch));
  if (rest.length > 0) rows.push(otherRow(rest, view, total));
  return rows;
}

function labelled(trace: Trace, view: View, branch: Branch, total: Sums): Omit<TreeRow, 'children'> {
  const { name, module, origin } = functionLabel(trace, branch.group);
  return {
    id: branch.group,
    name,
    ...figuresOf(branch.sums, branch.at, total, view.unit),
    ownBytes: branch.own[branch.at * WIDTH + BYTES],
    ownCount: branch.own[branch.at * WIDTH + COUNT],
    ...(module !== undefined && { module }),
    ...(origin !== undefined && { origin }),
  };
}

function otherRow(branches: readonly Branch[], view: View, total: Sums): TreeRow {
  const sums: Sums = new Float64Array(WIDTH);
  for (const branch of branches) addSums(sums, 0, branch.sums, branch.at);
  const { bytes, count } = amountOf(sums, 0);
  return {
    id: OTHER,
    name: 'other',
    ...figuresOf(sums, 0, total, view.unit),
    ownBytes: bytes,
    ownCount: count,
    other: true,
    folded: branches.length,
    children: [],
  };
}
