import { Command } from 'commander';
import {
  type AllocatedFinding,
  type Finding,
  type HeapFinding,
  type NativeFinding,
  type ReportAnswer,
  type ResidentFinding,
  report,
  reportViews,
  type ShareFinding,
} from '../../query/report.ts';
import type { Row } from '../../query/rows.ts';
import { GENERATIONS, type Generation, HEAP_LABELS, type Kind } from '../../trace/kinds.ts';
import type { Dimension, Metric } from '../../trace/view.ts';
import { formatBytes, formatCount, formatError, formatShare, formatTime, wrap } from '../format.ts';
import { accuracyText, beforeText, printJson, printWarnings, rowName } from '../print.ts';
import type { Shell } from '../shell.ts';
import { addViewOptions, FILTER_HELP, openView, shellWord, type ViewOptions, viewFlags } from '../view-options.ts';

/** Processes with a sentence of their own; the rest are counted. */
const DEFAULT_PROCESSES = 3;

export function reportCommand(shell: Shell): Command {
  const command = new Command('report')
    .summary('say what grew and who did it, in plain words')
    .description('What grew and who did it, in plain words.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace');
  return addViewOptions(command, `processes spoken of (default ${DEFAULT_PROCESSES})`)
    .addHelpText(
      'after',
      `${FILTER_HELP}

Examples:
  memsurge report app.memsurge
  memsurge report app.memsurge --from 10s --process shop`,
    )
    .action(async (path: string, options: ViewOptions) => {
      const { trace, view } = await openView(shell, path, options);
      const [answer, second] = reportViews(trace, view, options.metric !== undefined).map((one) => report(trace, one));
      if (options.json) {
        printJson(shell, second === undefined ? answer : { ...answer, second });
        return;
      }
      const answers = second === undefined ? [answer] : [answer, second];
      shell.out(reportText(shell, answers, path, options.limit ?? DEFAULT_PROCESSES));
      printWarnings(shell, [...new Set(answers.flatMap(({ warnings }) => warnings))]);
    });
}

/** How it grew, then each kind of memory, then where to look further. */
function reportText(shell: Shell, answers: readonly ReportAnswer[], path: string, processes: number): string {
  const { bold } = shell.colors;
  const [first] = answers;
  const parts = [
    [bold('How it grew'), ...atMost(of(first, 'resident').map(residentText), processes, 'processes')],
    ...answers.flatMap((answer) => [
      [
        bold(`${KIND_TITLES[answer.view.kinds[0]] ?? 'Memory'}: who ${METRIC_TITLES[answer.metric]}`),
        ...atMost(of(answer, 'native').map(nativeText), processes, 'processes'),
        ...of(answer, 'allocated').map((finding) => allocatedText(finding, answer)),
        ...of(answer, 'share').map(shareText),
      ],
      [bold('What the GC says'), ...atMost(of(answer, 'heap').map(heapText), processes, 'processes')],
    ]),
  ];
  return parts
    .filter((lines) => lines.length > 1)
    .map(([title, ...lines]) => [title, ...lines.map((line) => wrap(line, shell.width, '  ', '    '))].join('\n'))
    .concat([bold('Look further'), ...nextCommands(answers, path).map((line) => `  ${line}`)].join('\n'))
    .join('\n\n');
}

function of<A extends Finding['about']>(answer: ReportAnswer, about: A): Extract<Finding, { about: A }>[] {
  return answer.findings.filter((finding): finding is Extract<Finding, { about: A }> => finding.about === about);
}

const KIND_TITLES: Partial<Record<Kind, string>> = { 'gc-heap': '.NET memory', 'native-heap': 'Native heap' };
const METRIC_TITLES: Record<Metric, string> = {
  allocated: 'allocated',
  unreleased: 'allocated what was never released',
  temporary: 'allocated what was released again',
  live: 'allocated what is live',
  net: 'grew',
  peak: 'held the peak',
};

function nativeText({
  process,
  last,
  peak,
  peakAt,
  allocated,
  accuracy,
  fleetingCount,
  resident,
  before,
}: NativeFinding): string {
  const fleeting =
    fleetingCount === null || allocated.count === 0
      ? ''
      : `, ${formatShare(fleetingCount / allocated.count)} of them freed at once`;
  const inMemory = resident === null ? '' : ` (${formatBytes(resident)} of it in memory)`;
  return (
    `${process}: ${formatBytes(last)} of the native heap never released${inMemory}, at most ${formatBytes(peak)} held at ` +
    `${formatTime(peakAt)}; ${formatBytes(allocated.bytes)} requested in ${formatCount(allocated.count)} ` +
    `blocks${fleeting} (${accuracyText({ accuracy, total: allocated })}).${before === 0 ? '' : ` ${beforeText(before)}`}`
  );
}

function atMost(lines: readonly string[], limit: number, what: string): string[] {
  if (lines.length <= limit) return [...lines];
  return [...lines.slice(0, limit), `and ${lines.length - limit} more ${what}`];
}

function residentText({ process, first, peak, last, from, peakAt, to }: ResidentFinding): string {
  const course = `${process}: resident set ${last > first ? 'grew' : 'went'} from ${formatBytes(first)} at ${formatTime(from)}`;
  if (formatBytes(peak) === formatBytes(last))
    return `${course} to ${formatBytes(last)} at ${formatTime(to)}, its highest.`;
  return `${course} to ${formatBytes(last)} at ${formatTime(to)}; at most ${formatBytes(peak)} at ${formatTime(peakAt)}.`;
}

function allocatedText({ total, rate, view }: AllocatedFinding, answer: ReportAnswer): string {
  if (view.metric !== 'allocated') return `${formatBytes(total.bytes)} ${view.metric} (${accuracyText(answer)}).`;
  const amount = `${formatBytes(total.bytes)} ${view.metric} in ${formatCount(total.count)} objects`;
  return `${amount} (${accuracyText(answer)}), ${formatBytes(rate)}/s on average.`;
}

const STEP_TITLES: Record<Dimension, string> = {
  process: 'Process:',
  kind: 'Kind:',
  heap: 'Heap:',
  type: 'Type:',
  thread: 'Thread:',
  module: 'Module:',
  function: 'Function:',
  line: 'Line:',
};

/** "Type:  System.Byte[] 99.8 % (2.93 GiB, ±0.3 %)"; without a dominant row the first few. */
function shareText({ dimension, rows, dominant, accuracy }: ShareFinding): string {
  const figures = (row: Row) => {
    const error = accuracy === 'unknown' ? '' : `, ${formatError(row.error)}`;
    return `${formatShare(row.share)} (${formatBytes(row.bytes)}${error})`;
  };
  const name = (row: Row) => `${rowName(row, dimension)}${row.function ? ` in ${row.function}` : ''}`;
  const shown = dominant ? rows.slice(0, 1) : rows;
  return `${STEP_TITLES[dimension].padEnd(10)}${shown.map((row) => `${name(row)} ${figures(row)}`).join('; ')}`;
}

function heapText(finding: HeapFinding): string {
  const { process, gcNumber, end, inUse, free, committed, generationInUse, resident, allocatedBefore, allocatedAfter } =
    finding;
  const held = inUse === null ? '' : `: ${formatBytes(inUse)} in use`;
  const where =
    generationInUse === null || inUse === null || inUse === 0
      ? ''
      : `, ${formatShare(generationInUse / inUse)} of it in ${generationName(finding.generation)}, where ${formatBytes(allocatedBefore)} had been allocated by then`;
  const kept = free === null ? '' : `; ${formatBytes(free)} free`;
  const ofOs = committed === null ? '' : `; ${formatBytes(committed)} committed`;
  const beside = resident === null ? '' : `, resident set ${formatBytes(resident)}`;
  const later = allocatedAfter > 0 ? ` ${formatBytes(allocatedAfter)} were allocated after it.` : '';
  return `${process}, collection ${gcNumber}, the last, at ${formatTime(end)}${held}${where}${kept}${ofOs}${beside}.${later}`;
}

function generationName(generation: Generation): string {
  if (generation === 'loh' || generation === 'poh') return `the ${HEAP_LABELS[generation]}`;
  return `generation ${GENERATIONS.indexOf(generation)}`;
}

function nextCommands(answers: readonly ReportAnswer[], path: string): string[] {
  const trace = shellWord(path);
  const commands = answers.flatMap((answer) => nextOf(answer, trace));
  const hasHeap = answers.some((answer) => of(answer, 'heap').length > 0);
  return [...commands, ...(hasHeap ? [line('heap', trace)] : []), line('timeline', trace)];
}

const line = (...words: string[]) => ['memsurge', ...words].filter((word) => word !== '').join(' ');

function nextOf({ culprit, view, findings }: ReportAnswer, trace: string): string[] {
  const commands: string[] = [];
  if (culprit !== undefined) {
    commands.push(line('code', trace, shellWord(culprit), viewFlags({ ...view, hideSystem: false })));
    commands.push(line('tree', trace, '--callers', viewFlags({ ...view, functions: [culprit] })));
  } else if (findings.some((finding) => finding.about === 'share')) {
    commands.push(line('top', trace, '--by function', viewFlags(view)));
    commands.push(line('tree', trace, viewFlags(view)));
  }
  return commands;
}
