import type { Trace } from '../trace/tables.ts';
import { NONE } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { amountOf, answer, figureOf, figuresOf, sumByStack } from './answer.ts';
import { createBestFirst } from './best-first.ts';
import { type CallTree, derived } from './derived.ts';
import { functionLabel } from './functions.ts';
import type { Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { addSums, BYTES, COUNT, ROWS, regroup, type Sums, totalOf, WIDTH } from './sums.ts';

/**
 * A node of the call tree. `bytes` and `count` are those of the node with all below it; own and children add up to it.
 * Top-down, own is what the function itself allocated; in a tree of callers, what was allocated with no further caller.
 */
export interface TreeRow extends Row {
  readonly ownBytes: number;
  readonly ownCount: number;
  readonly children: readonly TreeRow[];
}

export type TreeDirection = 'callees' | 'callers';

/**
 * The call tree of `view`: from the thread's root down (`callees`), or from the allocating function up (`callers`).
 * Shows the `limit` heaviest nodes of the whole tree, which always form a tree; what a node does not show of its
 * children is its child "other".
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function tree(
  trace: Trace,
  view: View,
  direction: TreeDirection,
  limit = Number.POSITIVE_INFINITY,
): Answer<TreeRow> {
  const selection = select(trace, view);
  const byStack = sumByStack(trace, selection, view.unit);
  const calls = derived(trace).callTree(view.hideSystem);
  const own = regroup(byStack, calls.ofSlot, calls.length);
  const total = totalOf(own);
  const branches = direction === 'callees' ? calleeBranches(calls, own) : callerBranches(calls, own);
  return answer(trace, view, total, prune(trace, view, branches, total, limit), selection.warnings);
}

/** A node whose children are made only when it is shown. */
interface Branch {
  /** Function group. */
  readonly group: number;
  /** One group each. */
  readonly sums: Sums;
  readonly own: Sums;
  expand(): Branch[];
}

function calleeBranches(calls: CallTree, own: Sums): Branch[] {
  const inclusive = own.slice();
  const firstChild = new Int32Array(calls.length + 1).fill(NONE);
  const sibling = new Int32Array(calls.length).fill(NONE);
  // A parent has a smaller number, so a node is complete when it is reached.
  for (let node = calls.length - 1; node >= 0; node--) {
    if (inclusive[node * WIDTH + ROWS] === 0) continue;
    const parent = calls.parent[node];
    if (parent !== NONE) addSums(inclusive, parent, inclusive, node);
    sibling[node] = firstChild[parent + 1];
    firstChild[parent + 1] = node;
  }
  const childrenOf = (parent: number): Branch[] => {
    const branches: Branch[] = [];
    for (let node = firstChild[parent + 1]; node !== NONE; node = sibling[node]) {
      const at = node;
      branches.push({
        group: calls.group[at],
        sums: oneGroup(inclusive, at),
        own: oneGroup(own, at),
        expand: () => childrenOf(at),
      });
    }
    return branches;
  };
  return childrenOf(NONE);
}

function callerBranches(calls: CallTree, own: Sums): Branch[] {
  const origins: number[] = [];
  for (let node = 0; node < calls.length; node++) if (own[node * WIDTH + ROWS] > 0) origins.push(node);
  return groupCallers(calls, own, origins, origins);
}

/** Groups what was allocated at `origins` by the function at `cursors`, the node of each origin's path in this level. */
function groupCallers(calls: CallTree, own: Sums, origins: readonly number[], cursors: readonly number[]): Branch[] {
  const levels = new Map<number, { origins: number[]; callers: number[]; sums: Sums; own: Sums }>();
  for (let i = 0; i < origins.length; i++) {
    const group = calls.group[cursors[i]];
    let level = levels.get(group);
    if (level === undefined) {
      level = { origins: [], callers: [], sums: new Float64Array(WIDTH), own: new Float64Array(WIDTH) };
      levels.set(group, level);
    }
    addSums(level.sums, 0, own, origins[i]);
    const caller = calls.parent[cursors[i]];
    if (caller === NONE) {
      addSums(level.own, 0, own, origins[i]);
    } else {
      level.origins.push(origins[i]);
      level.callers.push(caller);
    }
  }
  return [...levels].map(([group, level]) => ({
    group,
    sums: level.sums,
    own: level.own,
    expand: () => groupCallers(calls, own, level.origins, level.callers),
  }));
}

function oneGroup(sums: Sums, group: number): Sums {
  return sums.slice(group * WIDTH, (group + 1) * WIDTH);
}

interface Shown {
  readonly branch: Branch;
  readonly children: Shown[];
  hidden: Branch[];
}

/** The `limit` heaviest branches, taken best first: a branch is weighed only once its parent is shown. */
function prune(trace: Trace, view: View, roots: Branch[], total: Sums, limit: number): TreeRow[] {
  const open = createBestFirst<{ branch: Branch; siblings: Shown }>();
  const root: Shown = {
    branch: { group: NONE, sums: total, own: total, expand: () => roots },
    children: [],
    hidden: [],
  };
  const show = (shown: Shown) => {
    shown.hidden = shown.branch.expand();
    for (const branch of shown.hidden)
      open.push(Math.abs(figureOf(branch.sums, 0, view.unit)), { branch, siblings: shown });
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
  const { name, module } = functionLabel(trace, branch.group);
  return {
    name,
    ...figuresOf(branch.sums, 0, total, view.unit),
    ownBytes: branch.own[BYTES],
    ownCount: branch.own[COUNT],
    ...(module !== undefined && { module }),
  };
}

function otherRow(branches: readonly Branch[], view: View, total: Sums): TreeRow {
  const sums: Sums = new Float64Array(WIDTH);
  for (const branch of branches) addSums(sums, 0, branch.sums, 0);
  const { bytes, count } = amountOf(sums, 0);
  return {
    name: 'other',
    ...figuresOf(sums, 0, total, view.unit),
    ownBytes: bytes,
    ownCount: count,
    other: true,
    folded: branches.length,
    children: [],
  };
}
