import { TraceError } from '../trace/errors.ts';
import { type FunctionIndex, NONE, type Trace } from '../trace/tables.ts';
import type { Unit } from '../trace/view.ts';
import { figureOf } from './answer.ts';
import { hasCutStacks } from './cut.ts';
import { derived } from './derived.ts';
import { nothingMatches, rowsOf } from './match.ts';
import { functionSpellings, moduleOfFunction, qualifiedName } from './names.ts';
import type { Origin, Row } from './rows.ts';
import { addSums, ROWS, type Sums, WIDTH } from './sums.ts';

/** What a row is called; the figures come from the sums. */
export type Label = Pick<Row, 'name' | 'module' | 'function' | 'file' | 'line' | 'near' | 'origin'>;

/** The row of stacks that have no function of the user's, where the system's are folded. */
export const SYSTEM_CODE = '[system code]';

/** The row of what the runtime's compiler takes, where the system's code is folded. */
const COMPILER = '[.NET runtime: JIT]';

/** What a function group is called, see `FunctionGroups`. */
export function functionLabel(trace: Trace, group: number): Label {
  if (group === trace.functions.length) return { name: '[no stack]' };
  if (group > trace.functions.length) return { name: group === trace.functions.length + 1 ? SYSTEM_CODE : COMPILER };
  const module = moduleOfFunction(trace, group);
  const file = trace.functions.file[group];
  return {
    name: trace.functions.name[group],
    ...(module !== undefined && { module }),
    ...(file !== NONE && { file: trace.files.path[file] }),
    origin: originOf(trace, group),
  };
}

/** Native images are files other than .dll and .exe; code made at run time has no file, and is managed. */
function originOf(trace: Trace, fn: FunctionIndex): Origin {
  const module = trace.functions.module[fn];
  if (module === NONE) return 'managed';
  if (trace.modules.system[module] === 1) return 'runtime';
  const path = trace.modules.path[module];
  return path.startsWith('/') && !/\.(dll|exe)$/i.test(path) ? 'native' : 'managed';
}

/**
 * The function that `text` selects, by the rule stated at `View`; of several the only one that holds anything of
 * `inclusiveSums`, see {@link inclusiveByFunction}.
 * @throws TraceError when `text` selects none, or several with the view's allocations under them.
 */
export function oneFunction(trace: Trace, text: string, inclusiveSums: () => Sums, unit: Unit): FunctionIndex {
  const candidates = rowsOf(trace.functions.length, functionSpellings(trace), text);
  if (candidates.length === 0) {
    const none = nothingMatches(trace.functions.length, functionSpellings(trace), text, 'functions');
    throw new TraceError(`${none}${hasCutStacks(trace) ? '; stacks were cut, it may stand further out on them' : ''}`);
  }
  if (candidates.length === 1) return candidates[0];
  const inclusive = inclusiveSums();
  const allocating = candidates.filter((fn) => inclusive[fn * WIDTH + ROWS] > 0);
  if (allocating.length === 1) return allocating[0];
  if (allocating.length === 0) {
    throw new TraceError(`"${text}" names ${candidates.length} functions, none with allocations in this view`);
  }
  const names = allocating
    .sort((a, b) => figureOf(inclusive, b, unit) - figureOf(inclusive, a, unit))
    .map((fn) => qualifiedName(trace, fn));
  const more = names.length > 10 ? `\n  and ${names.length - 10} more` : '';
  throw new TraceError(
    `"${text}" names ${names.length} functions, say which one:\n  ${names.slice(0, 10).join('\n  ')}${more}`,
  );
}

/** Turns sums per stack slot, in place, into those with the stacks that continue each. */
export function sumSubtrees(trace: Trace, byStack: Sums): void {
  const { prefix, length } = trace.stacks;
  // A prefix has a smaller number, so a stack is complete when it is reached.
  for (let stack = length - 1; stack >= 0; stack--) {
    if (prefix[stack] !== NONE && byStack[(stack + 1) * WIDTH + ROWS] > 0) {
      addSums(byStack, prefix[stack] + 1, byStack, stack + 1);
    }
  }
}

/**
 * Sums per function of the stacks that hold it: of each stack's subtree where the function first stands on it. `byStack`
 * holds the subtrees afterwards, see {@link sumSubtrees}.
 */
export function inclusiveByFunction(trace: Trace, hideSystem: boolean, byStack: Sums): Sums {
  const { stacks, frames, functions } = trace;
  const { firstOccurrence, systemFunctions, functionGroups } = derived(trace);
  const groups = functionGroups(hideSystem);
  const sums: Sums = new Float64Array(groups.length * WIDTH);
  for (let slot = 0; slot < groups.ofSlot.length; slot++) {
    if (groups.ofSlot[slot] >= functions.length) addSums(sums, groups.ofSlot[slot], byStack, slot);
  }
  sumSubtrees(trace, byStack);
  for (let slot = 1; slot <= stacks.length; slot++) {
    if (firstOccurrence[slot] === 0 || byStack[slot * WIDTH + ROWS] === 0) continue;
    const fn = frames.function[stacks.frame[slot - 1]];
    if (!(hideSystem && systemFunctions[fn] === 1)) addSums(sums, fn, byStack, slot);
  }
  return sums;
}
