import { Command, Option } from 'commander';
import type { Answer, Row } from '../../query/rows.ts';
import { top } from '../../query/top.ts';
import { DIMENSIONS, type Dimension } from '../../trace/view.ts';
import { NEAR_MEANS, tells } from '../../wording/rows.ts';
import { addHelp, FILTER_HELP } from '../help.ts';
import { formatRows, printAnswerWarnings, printHeadline, printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { wrap } from '../terminal.ts';
import { addViewOptions, type Opened, openView, type ViewOptions } from '../view-options.ts';

/** The Filters panel: what to narrow by, a few rows of each. */
const PANEL: readonly Dimension[] = ['kind', 'process', 'heap', 'type', 'thread', 'function'];
const PANEL_ROWS = 4;
const DEFAULT_ROWS = 20;

export function topCommand(shell: Shell): Command {
  const command = new Command('top')
    .summary('show who allocates the most: by type, function, line, thread, …')
    .description('Who allocates the most: by type, function, line, thread, heap, kind, module or process.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .addOption(
      new Option('--by <dimension>', 'what to group by; without it a few rows of each kind of filter').choices(
        DIMENSIONS,
      ),
    );
  addViewOptions(
    command,
    `rows shown, the rest becomes "other" (default ${DEFAULT_ROWS}, ${PANEL_ROWS} of each without --by; all with --json)`,
    'foldsSystem',
  ).action(async (path: string, options: ViewOptions & { by?: Dimension }) => {
    const opened = await openView(shell, path, options);
    if (options.by === undefined) printPanel(shell, opened, options);
    else printTop(shell, opened, options.by, options);
  });
  return addHelp(
    command,
    shell,
    [
      ...FILTER_HELP,
      'By function, "Own" is what a function allocated itself, "Total" adds what the functions it called allocated. ' +
        'By line, a row is the innermost line with known source on the way to the allocation.',
    ],
    [
      'memsurge top app.memsurge',
      'memsurge top app.memsurge --by heap',
      "memsurge top app.memsurge --heap loh --type 'System.Byte[]' --by function",
      'memsurge top app.memsurge --by line --hide-system --from 0.5s --to 5s',
    ],
  );
}

function printTop(shell: Shell, opened: Opened, dimension: Dimension, options: ViewOptions): void {
  const { trace, view } = opened;
  const answer = top(trace, view, dimension, options.limit ?? (options.json ? undefined : DEFAULT_ROWS));
  if (options.json) {
    printJson(shell, answer);
    return;
  }
  printHeadline(shell, answer);
  shell.out('');
  shell.out(formatRows(shell, answer, dimension));
  if (answer.rows.some(({ near }) => near)) shell.out(shell.colors.dim(wrap(NEAR_MEANS, shell.width)));
  printAnswerWarnings(shell, answer.warnings, opened);
}

function printPanel(shell: Shell, opened: Opened, options: ViewOptions): void {
  const { trace, view } = opened;
  const limit = options.limit ?? (options.json ? undefined : PANEL_ROWS);
  const answers = PANEL.map((dimension): [Dimension, Answer] => [dimension, top(trace, view, dimension, limit)]);
  const first = answers[0][1];
  if (options.json) {
    const by = Object.fromEntries(answers.map(([dimension, { rows }]): [string, readonly Row[]] => [dimension, rows]));
    printJson(shell, { ...first, by });
    return;
  }
  printHeadline(shell, first);
  const shown =
    first.rows.length === 0 ? answers.slice(0, 1) : answers.filter(([dimension, { rows }]) => tells(dimension, rows));
  for (const [dimension, answer] of shown) {
    shell.out('');
    shell.out(formatRows(shell, answer, dimension));
  }
  printAnswerWarnings(shell, first.warnings, opened);
}
