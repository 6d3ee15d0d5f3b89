import { NONE } from '../trace/tables.ts';
import type { CallTree } from './derived.ts';
import { addSums, ROWS, type Sums, WIDTH } from './sums.ts';

/** A node of a tree that is shown; its children are made only when they are. */
export interface Branch {
  /** Function group. */
  readonly group: number;
  /** Group `at` of each: with all below it, and its own. */
  readonly sums: Sums;
  readonly own: Sums;
  readonly at: number;
  expand(): Branch[];
}

type Node = number;

/** A call tree with what each node allocated. */
export interface SummedCalls {
  readonly calls: CallTree;
  readonly own: Sums;
  /** Own and all below. */
  readonly inclusive: Sums;
  /** First child of a node at node + 1 (of the root at 0), and the next child of the same parent; NONE at the end. */
  readonly firstChild: Int32Array;
  readonly sibling: Int32Array;
}

/** `own` are sums per node of `calls`. */
export function sumCalls(calls: CallTree, own: Sums): SummedCalls {
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
  return { calls, own, inclusive, firstChild, sibling };
}

/** The children of one node, the threads' roots of NONE. */
export function calleeBranches(summed: SummedCalls, parent: Node = NONE): Branch[] {
  const { calls, inclusive, own, firstChild, sibling } = summed;
  const branches: Branch[] = [];
  for (let node = firstChild[parent + 1]; node !== NONE; node = sibling[node]) {
    const at = node;
    branches.push({ group: calls.group[at], sums: inclusive, own, at, expand: () => calleeBranches(summed, at) });
  }
  return branches;
}

/** What all nodes together allocated, one group. */
export function totalOfCalls({ inclusive, firstChild, sibling }: SummedCalls): Sums {
  const total: Sums = new Float64Array(WIDTH);
  for (let node = firstChild[0]; node !== NONE; node = sibling[node]) addSums(total, 0, inclusive, node);
  return total;
}

/** The children of several nodes, those of one function merged. */
export function mergeCallees(summed: SummedCalls, parents: readonly Node[]): Branch[] {
  const nodes = new Map<number, Node[]>();
  for (const parent of parents) {
    for (let node = summed.firstChild[parent + 1]; node !== NONE; node = summed.sibling[node]) {
      const group = summed.calls.group[node];
      const merged = nodes.get(group);
      if (merged === undefined) nodes.set(group, [node]);
      else merged.push(node);
    }
  }
  return [...nodes].map(([group, merged]) => ({
    group,
    sums: addUp(summed.inclusive, merged),
    own: addUp(summed.own, merged),
    at: 0,
    expand: () => mergeCallees(summed, merged),
  }));
}

/** The tree from what allocated up to its callers. */
export function callerBranches(calls: CallTree, own: Sums): Branch[] {
  const origins: Node[] = [];
  for (let node = 0; node < calls.length; node++) if (own[node * WIDTH + ROWS] > 0) origins.push(node);
  return groupCallers(calls, own, origins, origins);
}

/** Groups the `sums` of `origins` by the function at `cursors`, the node of each origin's path in this level. */
export function groupCallers(
  calls: CallTree,
  sums: Sums,
  origins: readonly Node[],
  cursors: readonly Node[],
): Branch[] {
  const levels = new Map<number, { origins: Node[]; callers: Node[]; sums: Sums; own: Sums }>();
  for (let i = 0; i < origins.length; i++) {
    const group = calls.group[cursors[i]];
    let level = levels.get(group);
    if (level === undefined) {
      level = { origins: [], callers: [], sums: new Float64Array(WIDTH), own: new Float64Array(WIDTH) };
      levels.set(group, level);
    }
    addSums(level.sums, 0, sums, origins[i]);
    const caller = calls.parent[cursors[i]];
    if (caller === NONE) {
      addSums(level.own, 0, sums, origins[i]);
    } else {
      level.origins.push(origins[i]);
      level.callers.push(caller);
    }
  }
  return [...levels].map(([group, level]) => ({
    group,
    sums: level.sums,
    own: level.own,
    at: 0,
    expand: () => groupCallers(calls, sums, level.origins, level.callers),
  }));
}

/** The outermost nodes of function group `group`: each path through it has one. */
export function outermost({ calls, inclusive }: SummedCalls, group: number): Node[] {
  const inside = new Uint8Array(calls.length);
  const found: Node[] = [];
  for (let node = 0; node < calls.length; node++) {
    const parent = calls.parent[node];
    inside[node] = parent !== NONE && inside[parent] === 1 ? 1 : 0;
    if (calls.group[node] !== group) continue;
    if (inside[node] === 0 && inclusive[node * WIDTH + ROWS] > 0) found.push(node);
    inside[node] = 1;
  }
  return found;
}

/** The one group that the `groups` of `sums` make together. */
export function addUp(sums: Sums, groups: readonly number[]): Sums {
  const total: Sums = new Float64Array(WIDTH);
  for (const group of groups) addSums(total, 0, sums, group);
  return total;
}
