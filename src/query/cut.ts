import { cutLimit } from '../trace/cut-stacks.ts';
import { KINDS } from '../trace/kinds.ts';
import { once } from '../trace/once.ts';
import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import type { Cut } from './rows.ts';
import { select } from './selection.ts';
import { sumBy } from './sum-by.ts';
import { BYTES, totalOf } from './sums.ts';

const names = new WeakMap<Trace, () => readonly string[]>();

/** What of a view has stacks that were cut; filters by function and module left aside, since these may stand further out. */
export function cutOf(trace: Trace, view: View): Cut | undefined {
  const cutNames = namesOf(trace);
  if (cutNames.length === 0) return undefined;
  const sum = (functions: readonly string[]) => {
    const selection = select(trace, { ...view, functions, modules: [] });
    return totalOf(sumBy(trace, selection, 'bytes', 'kind', KINDS.length))[BYTES];
  };
  const whole = sum([]);
  const parts = cutNames
    .map((name) => ({ limit: cutLimit(name) ?? 0, bytes: sum([name]) }))
    .filter((one) => one.bytes > 0);
  if (!(whole > 0) || parts.length === 0) return undefined;
  const bytes = parts.reduce((total, part) => total + part.bytes, 0);
  const limits = parts.map(({ limit }) => limit).sort((a, b) => a - b);
  return { bytes, share: bytes / whole, limits, isFiltered: view.functions.length > 0 || view.modules.length > 0 };
}

export const hasCutStacks = (trace: Trace): boolean => namesOf(trace).length > 0;

function namesOf(trace: Trace): readonly string[] {
  const known = names.get(trace) ?? once(() => trace.functions.name.filter((name) => cutLimit(name) !== undefined));
  names.set(trace, known);
  return known();
}
