import { HEAPS, KINDS } from '../trace/kinds.ts';
import { holds } from '../trace/search.ts';
import { NONE, type Trace } from '../trace/tables.ts';
import type { Dimension, View } from '../trace/view.ts';
import { answer, errorOf, figureOf, figuresOf } from './answer.ts';
import { nativeBefore } from './before.ts';
import { derived } from './derived.ts';
import { functionLabel, inclusiveByFunction, type Label } from './functions.ts';
import { fileName, moduleOfFunction, processName, threadName } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { processMask, type Selection, select, selectResident } from './selection.ts';
import { sumBy, sumByStack, sumByStackGroup } from './sum-by.ts';
import { addSums, BYTES, COUNT, ROWS, regroup, type Sums, totalOf, WIDTH } from './sums.ts';

/** A dimension's answer before it is cut: sums per group, what each is called, and inclusive sums by function. */
interface Groups {
  readonly sums: Sums;
  label(group: number): Label;
  readonly inclusive?: Sums;
}

export interface TopOptions {
  /** Shows only rows whose name holds this text, in any case; the rest becomes "other". */
  readonly search?: string;
  /** By function: largest `own` or largest `total` first. */
  readonly order?: 'own' | 'total';
}

/**
 * The rows of `view` grouped by `dimension`, largest first. With more than `limit` rows the last row is "other" and
 * stands for the rest, so the rows always add up to the total.
 *
 * - By function: own figures belong to the innermost function; with hide-system to the innermost function of the user's
 *   code, "[system code]" when there is none. Functions that only call others are rows too, with own 0.
 * - By line: the innermost frame that has a source line, "your line that caused it".
 * - By module: the module of the function as above.
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function top(
  trace: Trace,
  view: View,
  dimension: Dimension,
  limit = Number.POSITIVE_INFINITY,
  options: TopOptions = {},
): Answer {
  const selection = select(trace, view);
  return topOf(trace, view, dimension, selection, groupBy[dimension](trace, view, selection), limit, options);
}

/** {@link top} by thread where the sums by thread slot are known. */
export function topThreads(trace: Trace, view: View, selection: Selection, sums: Sums, limit: number): Answer {
  return topOf(trace, view, 'thread', selection, threadGroups(trace, sums), limit);
}

function topOf(
  trace: Trace,
  view: View,
  dimension: Dimension,
  selection: Selection,
  groups: Groups,
  limit: number,
  { search = '', order = 'own' }: TopOptions = {},
): Answer {
  const total = totalOf(groups.sums);
  const ranked = rank(groups, view, order);
  const resident = residentSums(trace, view, dimension);
  const withResident = (row: Row, of: readonly number[]): Row => ({
    ...row,
    ...(resident && residentOf(resident, of)),
  });
  const found = search === '' ? ranked : ranked.filter(matching(groups, search));
  const shown = found.slice(0, limit);
  const rows = shown.map((group) => withResident(rowOf(groups, group, total, view), [group]));
  if (shown.length < ranked.length) {
    const visible = new Set(shown);
    const rest = ranked.filter((group) => !visible.has(group));
    rows.push(withResident(otherRow(groups.sums, rest, total, view), rest));
  }
  const before = nativeBefore(trace, view);
  const residentAge = rows.some((row) => row.residentBytes !== undefined) ? ageOfResident(trace, view) : undefined;
  return {
    ...answer(trace, view, total, rows, selection.warnings),
    ...(before !== undefined && { before }),
    ...(residentAge !== undefined && { residentAge }),
  };
}

/** By the groups of a dimension: bytes that were looked at, and of these the bytes in memory. */
interface ResidentSums {
  readonly measured: Sums;
  readonly resident: Sums;
}

/** Undefined where nothing is known of the view. */
function residentSums(trace: Trace, view: View, dimension: Dimension): ResidentSums | undefined {
  const selections = selectResident(trace, view);
  if (selections === undefined) return undefined;
  const sumsOf = (selection: Selection) => groupBy[dimension](trace, view, selection).sums;
  return { measured: sumsOf(selections.measured), resident: sumsOf(selections.resident) };
}

/** Nothing where none of the groups was measured: nothing in memory is something else. */
function residentOf(
  { measured, resident }: ResidentSums,
  groups: readonly number[],
): Pick<Row, 'residentBytes' | 'measuredBytes'> {
  const known = groups.filter((group) => measured[group * WIDTH + ROWS] > 0);
  if (known.length === 0) return {};
  const sum = (sums: Sums) => known.reduce((total, group) => total + sums[group * WIDTH + BYTES], 0);
  return { residentBytes: sum(resident), measuredBytes: sum(measured) };
}

/** How long before its process ended the oldest measurement of the view was made, ns. */
function ageOfResident(trace: Trace, view: View): number {
  const { time, thread, length } = trace.native.measured;
  const { mask } = processMask(trace, view);
  let age = 0;
  for (let row = 0; row < length; row++) {
    const process = trace.threads.process[thread[row]];
    if (mask[process] === 1)
      age = Math.max(age, Math.min(trace.processes.end[process], trace.recording.duration) - time[row]);
  }
  return age;
}

const groupBy: Record<Dimension, (trace: Trace, view: View, selection: Selection) => Groups> = {
  kind: (trace, view, selection) => ({
    sums: sumBy(trace, selection, view.unit, 'kind', KINDS.length),
    label: (group) => ({ name: KINDS[group - 1] }),
  }),
  heap: (trace, view, selection) => ({
    sums: sumBy(trace, selection, view.unit, 'heap', HEAPS.length),
    label: (group) => ({ name: HEAPS[group - 1] }),
  }),
  type: (trace, view, selection) => ({
    sums: sumBy(trace, selection, view.unit, 'type', trace.types.length),
    label: (group) => ({ name: group === 0 ? '[no type]' : trace.types.name[group - 1] }),
  }),
  thread: (trace, view, selection) => threadGroups(trace, sumByThread(trace, view, selection)),
  process: (trace, view, selection) => ({
    sums: regroup(
      sumByThread(trace, view, selection),
      Int32Array.from({ length: trace.threads.length + 1 }, (_, slot) =>
        slot === 0 ? 0 : trace.threads.process[slot - 1] + 1,
      ),
      trace.processes.length + 1,
    ),
    label: (group) => ({ name: group === 0 ? '[no process]' : processName(trace, group - 1) }),
  }),
  function: groupByFunction,
  line: groupByLine,
  module: groupByModule,
};

function threadGroups(trace: Trace, sums: Sums): Groups {
  return { sums, label: (group) => ({ name: group === 0 ? '[no thread]' : threadName(trace, group - 1) }) };
}

function sumByThread(trace: Trace, view: View, selection: Selection): Sums {
  return sumBy(trace, selection, view.unit, 'thread', trace.threads.length);
}

function groupByFunction(trace: Trace, view: View, selection: Selection): Groups {
  const groups = derived(trace).functionGroups(view.hideSystem);
  const byStack = sumByStack(trace, selection, view.unit);
  return {
    sums: regroup(byStack, groups.ofSlot, groups.length),
    // Last: it uses up the sums per stack.
    inclusive: inclusiveByFunction(trace, view.hideSystem, byStack),
    label: (group) => functionLabel(trace, group),
  };
}

function groupByLine(trace: Trace, view: View, selection: Selection): Groups {
  const groups = derived(trace).lineGroups(view.hideSystem);
  return {
    sums: sumByStackGroup(trace, selection, view.unit, groups.ofSlot, groups.length),
    label: (group) => {
      if (group === groups.noStack) return { name: '[no stack]' };
      if (group === groups.noLine) return { name: '[no source line]' };
      const file = trace.files.path[groups.file[group]];
      const fn = groups.function[group];
      const module = moduleOfFunction(trace, fn);
      return {
        name: `${fileName(file)}:${groups.line[group]}`,
        function: trace.functions.name[fn],
        ...(module !== undefined && { module }),
        file,
        line: groups.line[group],
        ...(groups.near[group] === 1 && { near: true }),
      };
    },
  };
}

function groupByModule(trace: Trace, view: View, selection: Selection): Groups {
  const byFunction = derived(trace).functionGroups(view.hideSystem);
  const noModule = trace.modules.length;
  // The functions' own special groups (no stack, system code, compiler) keep their place behind the modules.
  const ofFunction = Int32Array.from({ length: byFunction.length }, (_, group) => {
    if (group >= trace.functions.length) return noModule + 1 + (group - trace.functions.length);
    return trace.functions.module[group] === NONE ? noModule : trace.functions.module[group];
  });
  const ofSlot = byFunction.ofSlot.map((group) => ofFunction[group]);
  return {
    sums: sumByStackGroup(
      trace,
      selection,
      view.unit,
      ofSlot,
      noModule + 1 + byFunction.length - trace.functions.length,
    ),
    label: (group) => {
      if (group === noModule) return { name: '[no module]' };
      if (group > noModule) return functionLabel(trace, group - noModule - 1 + trace.functions.length);
      return { name: trace.modules.name[group] };
    },
  };
}

function matching({ label }: Groups, search: string): (group: number) => boolean {
  return (group) => {
    const { name, function: fn, module } = label(group);
    return holds([name, fn, module], search);
  };
}

/** Groups that hold anything, largest first; equal ones by name, so that the order is stable. */
function rank({ sums, inclusive, label }: Groups, view: View, order: 'own' | 'total'): number[] {
  const groups: number[] = [];
  for (let group = 0; group * WIDTH < sums.length; group++) {
    if (sums[group * WIDTH + ROWS] > 0 || (inclusive && inclusive[group * WIDTH + ROWS] > 0)) groups.push(group);
  }
  const own = (group: number) => figureOf(sums, group, view.unit);
  const whole = (group: number) => (inclusive ? figureOf(inclusive, group, view.unit) : 0);
  const byName = (a: number, b: number) => (label(a).name < label(b).name ? -1 : 1);
  const [first, second] = order === 'total' && inclusive ? [whole, own] : [own, whole];
  return groups.sort((a, b) => first(b) - first(a) || second(b) - second(a) || byName(a, b));
}

function rowOf({ sums, inclusive, label }: Groups, group: number, total: Sums, view: View): Row {
  const { name, ...rest } = label(group);
  const figures = figuresOf(sums, group, total, view.unit);
  if (inclusive === undefined) return { name, ...figures, ...rest };
  const totalError = errorOf(inclusive, group, view.unit);
  return {
    name,
    ...figures,
    totalBytes: inclusive[group * WIDTH + BYTES],
    totalCount: inclusive[group * WIDTH + COUNT],
    ...(totalError !== undefined && { totalError }),
    ...rest,
  };
}

function otherRow(sums: Sums, groups: readonly number[], total: Sums, view: View): Row {
  const other: Sums = new Float64Array(WIDTH);
  for (const group of groups) addSums(other, 0, sums, group);
  return { name: 'other', ...figuresOf(other, 0, total, view.unit), other: true, folded: groups.length };
}
