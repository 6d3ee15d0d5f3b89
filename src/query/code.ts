import { type FunctionIndex, NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { answer, figuresOf } from './answer.ts';
import { derived } from './derived.ts';
import { inclusiveByFunction, oneFunction, sumSubtrees } from './functions.ts';
import { fileName, moduleOfFunction } from './names.ts';
import type { Answer, Row } from './rows.ts';
import { select } from './selection.ts';
import { sumByStack } from './sum-by.ts';
import { addSums, ROWS, type Sums, totalOf, WIDTH } from './sums.ts';

/** The function of {@link code} and where its source is. */
export interface CodeAnswer extends Answer {
  readonly function: string;
  readonly module: string;
  /** Source path as the symbols state it; empty when not known. */
  readonly path: string;
  /** First and last line known of it, 1-based; 0 when not known. */
  readonly firstLine: number;
  readonly lastLine: number;
  /**
   * What other lines of the same file allocated, themselves or by what they called; in line order. They are no parts of
   * the total, and overlap where one calls another.
   */
  readonly others: readonly Row[];
}

/**
 * Bytes per source line of one function, in line order: what the line allocated itself or by what it called. A stack
 * that holds the function more than once counts for its innermost call only, so lines add up to the function's total.
 * Rows carry file and line; "[no source line]" stands for bodies without line marks.
 * @throws TraceError when `text` selects no function, or several with the view's allocations under them.
 */
export function code(trace: Trace, view: View, text: string): CodeAnswer {
  const selection = select(trace, view);
  const byStack = sumByStack(trace, selection, view.unit);
  const fn = oneFunction(trace, text, () => inclusiveByFunction(trace, false, byStack.slice()), view.unit);
  const byFrame = sumByFrame(trace, fn, byStack);
  const total = totalOf(byFrame);
  const file = trace.functions.file[fn];
  const others = file === NONE ? [] : otherLines(trace, view, fn, byStack, total);
  return {
    ...answer(trace, view, total, lineRows(trace, view, byFrame, total), selection.warnings),
    function: trace.functions.name[fn],
    module: moduleOfFunction(trace, fn) ?? '',
    path: file === NONE ? '' : trace.files.path[file],
    firstLine: trace.functions.firstLine[fn],
    lastLine: trace.functions.lastLine[fn],
    others,
  };
}

/** What was allocated under `fn`, by its innermost frame on each stack. */
function sumByFrame(trace: Trace, fn: FunctionIndex, byStack: Sums): Sums {
  const { stacks, frames } = trace;
  const frameOf = new Int32Array(stacks.length + 1).fill(NONE);
  const sums: Sums = new Float64Array(frames.length * WIDTH);
  for (let stack = 0; stack < stacks.length; stack++) {
    const frame = stacks.frame[stack];
    const here = frames.function[frame] === fn ? frame : frameOf[stacks.prefix[stack] + 1];
    frameOf[stack + 1] = here;
    if (here !== NONE) addSums(sums, here, byStack, stack + 1);
  }
  return sums;
}

/**
 * Rows of the lines of the file of `fn` that belong to other functions; a line counts once per stack. `byStack` holds
 * the subtrees afterwards.
 */
function otherLines(trace: Trace, view: View, fn: FunctionIndex, byStack: Sums, total: Sums): Row[] {
  const { stacks, frames, functions } = trace;
  const { firstLineOccurrence } = derived(trace);
  const file = functions.file[fn];
  const sums: Sums = new Float64Array(frames.length * WIDTH);
  sumSubtrees(trace, byStack);
  for (let stack = 0; stack < stacks.length; stack++) {
    const frame = stacks.frame[stack];
    if (frames.file[frame] !== file || firstLineOccurrence[stack + 1] === 0 || frames.function[frame] === fn) continue;
    addSums(sums, frame, byStack, stack + 1);
  }
  return lineRows(trace, view, sums, total);
}

function lineRows(trace: Trace, view: View, byFrame: Sums, total: Sums): Row[] {
  const { frames } = trace;
  const lines = new Map<string, { file: number; line: number; near: boolean; sums: Sums }>();
  for (let frame = 0; frame < frames.length; frame++) {
    if (byFrame[frame * WIDTH + ROWS] === 0) continue;
    const known = frames.file[frame] !== NONE && frames.line[frame] > 0;
    const file = known ? frames.file[frame] : NONE;
    const line = known ? frames.line[frame] : 0;
    const key = `${file} ${line}`;
    const group = lines.get(key) ?? { file, line, near: false, sums: new Float64Array(WIDTH) };
    lines.set(key, group);
    group.near ||= frames.near[frame] === 1;
    addSums(group.sums, 0, byFrame, frame);
  }
  return [...lines.values()]
    .sort((a, b) => a.file - b.file || a.line - b.line)
    .map(({ file, line, near, sums }) => {
      const figures = figuresOf(sums, 0, total, view.unit);
      if (file === NONE) return { name: '[no source line]', ...figures };
      const path = trace.files.path[file];
      return { name: `${fileName(path)}:${line}`, ...figures, file: path, line, ...(near && { near: true }) };
    });
}
