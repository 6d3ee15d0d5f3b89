import { NONE, type Trace } from '../trace/tables.ts';
import { derived } from './derived.ts';
import { moduleOfFunction } from './names.ts';
import type { Row } from './rows.ts';
import { addSums, ROWS, type Sums, WIDTH } from './sums.ts';

/** What a row is called; the figures come from the sums. */
export type Label = Pick<Row, 'name' | 'module' | 'function' | 'file' | 'line' | 'near'>;

/** What a function group is called, see `FunctionGroups`. */
export function functionLabel(trace: Trace, group: number): Label {
  if (group === trace.functions.length) return { name: '[no stack]' };
  if (group > trace.functions.length) return { name: '[system code]' };
  const module = moduleOfFunction(trace, group);
  const file = trace.functions.file[group];
  return {
    name: trace.functions.name[group],
    ...(module !== undefined && { module }),
    ...(file !== NONE && { file: trace.files.path[file] }),
  };
}

/** Sums per function of the stacks that hold it, in two passes over the trie: subtrees upward, then by function. */
export function inclusiveByFunction(trace: Trace, hideSystem: boolean, byStack: Sums): Sums {
  const { stacks, frames } = trace;
  const { firstOccurrence, systemFunctions, functionGroups } = derived(trace);
  const subtree = byStack.slice();
  const groups = functionGroups(hideSystem);
  const sums: Sums = new Float64Array(groups.length * WIDTH);
  // A prefix has a smaller number, so a stack is complete when it is reached.
  for (let stack = stacks.length - 1; stack >= 0; stack--) {
    const slot = stack + 1;
    if (subtree[slot * WIDTH + ROWS] === 0) continue;
    const fn = frames.function[stacks.frame[stack]];
    if (firstOccurrence[slot] === 1 && !(hideSystem && systemFunctions[fn] === 1)) {
      addSums(sums, fn, subtree, slot);
    }
    if (stacks.prefix[stack] !== NONE) addSums(subtree, stacks.prefix[stack] + 1, subtree, slot);
  }
  for (let slot = 0; slot < groups.ofSlot.length; slot++) {
    if (groups.ofSlot[slot] >= trace.functions.length) addSums(sums, groups.ofSlot[slot], byStack, slot);
  }
  return sums;
}
