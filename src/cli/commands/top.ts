import { Command, Option } from 'commander';
import type { Answer, Row } from '../../query/rows.ts';
import { top } from '../../query/top.ts';
import type { Trace } from '../../trace/tables.ts';
import { DIMENSIONS, type Dimension, type View } from '../../trace/view.ts';
import { formatRows, printHeadline, printJson, printWarnings } from '../print.ts';
import type { Shell } from '../shell.ts';
import { addViewOptions, FILTER_HELP, openView, type ViewOptions } from '../view-options.ts';

/** The Filters panel: what to narrow by, a few rows of each. */
const PANEL: readonly Dimension[] = ['kind', 'heap', 'type', 'thread', 'function'];
const PANEL_ROWS = 4;
const DEFAULT_ROWS = 20;

export function topCommand(shell: Shell): Command {
  const command = new Command('top')
    .summary('show who allocates the most: by type, function, line, thread, …')
    .description('Who allocates the most: by type, function, line, thread, heap, kind, module or process.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .addOption(new Option('--by <dimension>', 'what to group by; without it a few rows of each').choices(DIMENSIONS));
  return addViewOptions(command, `rows shown, the rest becomes "other" (default ${DEFAULT_ROWS}; all with --json)`)
    .addHelpText(
      'after',
      `${FILTER_HELP}

By function, "Own" is what a function allocated itself, "Total" adds what the functions it called allocated.
By line, a row is the innermost line with known source on the way to the allocation.

Examples:
  memsurge top app.memsurge                                      a few rows of each kind of filter
  memsurge top app.memsurge --by heap
  memsurge top app.memsurge --heap loh --type 'System.Byte[]' --by function
  memsurge top app.memsurge --by line --hide-system --from 2s --to 5s`,
    )
    .action(async (path: string, options: ViewOptions & { by?: Dimension }) => {
      const { trace, view } = await openView(shell, path, options);
      if (options.by === undefined) printPanel(shell, trace, view, options);
      else printTop(shell, trace, view, options.by, options);
    });
}

function printTop(shell: Shell, trace: Trace, view: View, dimension: Dimension, options: ViewOptions): void {
  const answer = top(trace, view, dimension, options.limit ?? (options.json ? undefined : DEFAULT_ROWS));
  if (options.json) {
    printJson(shell, answer);
    return;
  }
  printHeadline(shell, answer);
  shell.out('');
  shell.out(formatRows(shell, answer, dimension));
  printWarnings(shell, answer.warnings);
}

function printPanel(shell: Shell, trace: Trace, view: View, options: ViewOptions): void {
  const limit = options.limit ?? (options.json ? undefined : PANEL_ROWS);
  const answers = PANEL.map((dimension): [Dimension, Answer] => [dimension, top(trace, view, dimension, limit)]);
  const first = answers[0][1];
  if (options.json) {
    const by = Object.fromEntries(answers.map(([dimension, { rows }]): [string, readonly Row[]] => [dimension, rows]));
    printJson(shell, { ...first, by });
    return;
  }
  printHeadline(shell, first);
  const shown = first.rows.length === 0 ? answers.slice(0, 1) : answers;
  for (const [dimension, answer] of shown) {
    shell.out('');
    shell.out(formatRows(shell, answer, dimension));
  }
  printWarnings(shell, first.warnings);
}
