import type { BundleMethod } from './bundle.ts';
import { lastAtMost } from './search.ts';

/** Native offset → IL offset, ascending by native offset; negative IL offsets are prolog, epilog and no mapping. */
export interface IlMap {
  readonly native: ArrayLike<number>;
  readonly il: ArrayLike<number>;
}

type Statements = Pick<BundleMethod, 'il' | 'line' | 'calls' | 'allocations' | 'apart'>;

const NO_MAPPING = -1;
const EPILOG = -3;

/**
 * The statement, as a row of the method's sequence points, of a call site at a native offset; −1 without a line.
 *
 * The mapping that starts last at or before the offset says the IL offset, and the sequence point that starts last at
 * or before that one the statement. Optimised code drops mappings, so the call can belong to a later statement, up to
 * the one before the next mapping. A frame stands at a call, and the innermost at an allocation: of the statements in
 * question, the first that has such an operation is taken.
 *
 * A hidden point has no line of its own. It goes on with the statement before it only where that statement's code runs
 * into it (`await` does); behind a jump it is something else, as what `using` disposes of, and has no line: −1. The same
 * where code without a mapping may call such a handler: the runtime shows one frame for both. Of a method that has one line
 * in all, hidden code is on it too: F# hides what it inlines from its library.
 */
export function statementAt(
  method: Statements | undefined,
  map: IlMap | undefined,
  nativeOffset: number,
  innermost: boolean,
): number {
  if (method === undefined) return -1;
  const firstVisible = method.line.findIndex((line) => line > 0);
  if (map === undefined) return firstVisible;
  let at = lastAtMost(map.native, nativeOffset);
  const isUnmapped = map.il[at] === NO_MAPPING;
  while (at >= 0 && map.il[at] === NO_MAPPING) at--;
  if (at < 0) return firstVisible;
  const mapped = map.il[at] === EPILOG ? method.line.length - 1 : lastAtMost(method.il, map.il[at]);
  const dropped = droppedAfter(method, map, at, mapped);
  const isHiddenCall = (one: number) =>
    method.line[one] === 0 && isApart(method, one) && hasOperation(method, one, method.calls);
  if (isUnmapped && dropped.some(isHiddenCall)) return onlyLine(method, firstVisible);
  const candidates = [mapped, ...dropped];
  const withAny = (offsets: readonly number[]) => candidates.find((row) => hasOperation(method, row, offsets));
  let row = (innermost ? withAny(method.allocations) : undefined) ?? withAny(method.calls) ?? mapped;
  for (; row >= 0 && method.line[row] === 0; row--) if (isApart(method, row)) return onlyLine(method, firstVisible);
  return row < 0 ? firstVisible : row;
}

/** The first statement where all have its line, else −1. */
function onlyLine({ line }: Statements, firstVisible: number): number {
  return line.every((one) => one === 0 || one === line[firstVisible]) ? firstVisible : -1;
}

function isApart(method: Statements, row: number): boolean {
  return method.apart?.includes(method.il[row]) ?? false;
}

/**
 * Statements whose code may lie between mapping `at` and the next one though no mapping says so: those that come between
 * the two in the source, or, where the code jumps back, the one before the next mapping.
 */
function droppedAfter(method: Statements, map: IlMap, at: number, mapped: number): number[] {
  let next = at + 1;
  while (next < map.il.length && map.il[next] < 0) next++;
  if (next >= map.il.length) return [];
  const last = lastAtMost(method.il, map.il[next] - 1);
  if (last <= mapped) return last < mapped && last >= 0 ? [last] : [];
  return Array.from({ length: last - mapped }, (_, i) => mapped + 1 + i);
}

function hasOperation(method: Statements, row: number, offsets: readonly number[]): boolean {
  const end = row + 1 < method.il.length ? method.il[row + 1] : Number.POSITIVE_INFINITY;
  const found = lastAtMost(offsets, end - 1);
  return found >= 0 && offsets[found] >= method.il[row];
}
