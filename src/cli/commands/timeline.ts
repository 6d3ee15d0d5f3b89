import { Command } from 'commander';
import type { Answer } from '../../query/rows.ts';
import { type TimelineRow, timeline } from '../../query/timeline.ts';
import { formatBytes, formatCount, formatTime } from '../../wording/figures.ts';
import { isUnrecorded, nothingText } from '../../wording/rows.ts';
import { addHelp, FILTER_HELP } from '../help.ts';
import { printAnswerWarnings, printHeadline, printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { sparkline, wrap } from '../terminal.ts';
import { addViewOptions, openView, type ViewOptions } from '../view-options.ts';

const LABEL_WIDTH = 14;
const FIGURE_WIDTH = 22;
const WIDEST = 100;
const NARROWEST = 20;
/** Narrower terminals have the figures under their charts. */
const WIDTH_FOR_FIGURES = LABEL_WIDTH + NARROWEST + FIGURE_WIDTH;
const DEFAULT_STRETCHES = 60;

export function timelineCommand(shell: Shell): Command {
  const command = new Command('timeline')
    .summary('show resident set, GC heap and allocation over time')
    .description('Resident set, GC heap and allocation over time.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace');
  addViewOptions(command, `stretches of time (default as many as fit; ${DEFAULT_STRETCHES} with --json)`, false).action(
    async (path: string, options: ViewOptions) => {
      const opened = await openView(shell, path, options);
      const { trace, view } = opened;
      const answer = timeline(trace, view, options.limit ?? (options.json ? DEFAULT_STRETCHES : chartWidth(shell)));
      if (options.json) {
        printJson(shell, answer);
        return;
      }
      printHeadline(shell, answer);
      if (isUnrecorded(answer)) shell.out(wrap(nothingText(answer), shell.width));
      shell.out('');
      shell.out(formatTimeline(shell, answer));
      printAnswerWarnings(shell, answer.warnings, opened);
    },
  );
  return addHelp(
    command,
    shell,
    [...FILTER_HELP, 'Filters narrow the allocations; the resident set and the GC heap are those of the processes.'],
    [
      'memsurge timeline app.memsurge',
      "memsurge timeline app.memsurge --type 'System.Byte[]' --from 0.5s --to 4s",
      'memsurge timeline app.memsurge --json --limit 1000',
    ],
  );
}

function chartWidth(shell: Shell): number {
  if (shell.width === Number.POSITIVE_INFINITY) return DEFAULT_STRETCHES;
  const figures = shell.width < WIDTH_FOR_FIGURES ? 0 : FIGURE_WIDTH;
  return Math.max(NARROWEST, Math.min(WIDEST, shell.width - LABEL_WIDTH - figures));
}

/** One line per quantity, each scaled to its own largest value, over a common axis of time. */
function formatTimeline(shell: Shell, answer: Answer<TimelineRow>): string {
  const { rows, unit } = answer;
  const seconds = (rows[0].to - rows[0].from) / 1e9;
  const amounts = rows.map((row) => (unit === 'bytes' ? row.bytes : row.count));
  const figure = unit === 'bytes' ? formatBytes : formatCount;
  const rate = seconds > 0 ? `${figure(Math.max(...amounts) / seconds)}/s at most` : '';
  const lines = [
    measured(
      'resident set',
      rows.map((row) => row.rss),
    ),
    measured(
      'GC committed',
      rows.map((row) => row.gcCommitted),
    ),
    measured(
      'GC heap size',
      rows.map((row) => row.gcSize),
    ),
    measured(
      'native live',
      rows.map((row) => row.nativeLive),
    ),
    { label: answer.metric, chart: sparkline(amounts), note: rate },
    {
      label: 'collections',
      chart: rows.map(gcMark).join(''),
      note: `${rows.reduce((sum, row) => sum + row.gcs, 0)} in all`,
    },
  ].filter((line) => line !== undefined);
  const gap = shell.width < WIDTH_FOR_FIGURES ? `\n${' '.repeat(LABEL_WIDTH)}` : '  ';
  const chart = lines.map(({ label, chart, note }) =>
    `${label.padEnd(LABEL_WIDTH)}${shell.colors.cyan(chart)}${gap}${note}`.trimEnd(),
  );
  return [
    ...chart,
    axis(rows),
    shell.colors.dim(wrap('Collections: the highest generation collected in each stretch of time.', shell.width)),
  ].join('\n');
}

function measured(label: string, values: readonly (number | null)[]) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return undefined;
  return { label, chart: sparkline(values), note: `${formatBytes(Math.max(...known))} at most` };
}

function gcMark(row: TimelineRow): string {
  return row.gcDepth === null ? '·' : String(row.gcDepth);
}

function axis(rows: readonly TimelineRow[]): string {
  const from = formatTime(rows[0].from);
  const to = formatTime(rows[rows.length - 1].to);
  return `${' '.repeat(LABEL_WIDTH)}${from}${to.padStart(Math.max(to.length + 1, rows.length - from.length))}`;
}
