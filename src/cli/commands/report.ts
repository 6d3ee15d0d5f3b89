import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { type ReportAnswer, report, reportViews } from '../../query/report.ts';
import { tree } from '../../query/tree.ts';
import { TraceError } from '../../trace/errors.ts';
import { printable } from '../../trace/printable.ts';
import { shellWord } from '../../trace/shell-word.ts';
import type { Trace } from '../../trace/tables.ts';
import type { View } from '../../trace/view.ts';
import { findingsOf, NOTHING_GREW, sectionsOf } from '../../wording/findings.ts';
import { addHelp, FILTER_HELP } from '../help.ts';
import { printJson, printWarnings } from '../print.ts';
import type { Shell } from '../shell.ts';
import { wrap } from '../terminal.ts';
import {
  addViewOptions,
  type Opened,
  openView,
  placeFlags,
  sourceRootOption,
  type ViewOptions,
  viewFlags,
} from '../view-options.ts';

/** Processes with a sentence of their own; the rest are counted. */
const DEFAULT_PROCESSES = 3;
/** A tree of as many nodes has more than one row or has not. */
const NODES_TO_TELL = 2;
/** Of "Function:" and the like, with a gap. */
const LABEL_WIDTH = 10;

interface ReportOptions extends ViewOptions {
  readonly html?: string;
  readonly withSource?: true;
  readonly sourceRoot?: readonly string[];
}

export function reportCommand(shell: Shell, version: string): Command {
  const command = new Command('report')
    .summary('say what grew and who did it, in plain words')
    .description('What grew and who did it, in plain words.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .addOption(new Option('--html <file>', 'write it as one web page with charts and tables').conflicts('json'))
    .option('--with-source', 'with --html: put the source around the lines that allocated most into the page')
    .addOption(sourceRootOption());
  addViewOptions(command, `processes spoken of (default ${DEFAULT_PROCESSES})`, false).action(
    async (path: string, options: ReportOptions) => {
      if (options.withSource && options.html === undefined) throw new TraceError('--with-source needs --html');
      const opened = await openView(shell, path, options);
      const { trace, view } = opened;
      const answers = reportViews(trace, view, options.metric !== undefined).map((one) => report(trace, one));
      const processes = options.limit ?? DEFAULT_PROCESSES;
      if (options.html !== undefined) {
        const { writePage } = await import('../write-page.ts');
        const commands = nextCommands(opened, answers, basename(path));
        const notes = { asked: view, version, processes, commands };
        await writePage(shell, options.html, trace, answers, notes, {
          withSource: options.withSource ?? false,
          sourceRoots: options.sourceRoot ?? [],
        });
        return;
      }
      const [answer, ...more] = answers;
      if (options.json) {
        printJson(shell, { ...answer, more });
        return;
      }
      shell.out(reportText(shell, opened, answers, processes));
      printWarnings(shell, [...new Set(answers.flatMap(({ warnings }) => warnings))]);
    },
  );
  return addHelp(
    command,
    shell,
    [
      ...FILTER_HELP,
      'Code of the runtime, its framework and libraries of the languages is folded into the user function that called it.',
      'The page of --html is made to be attached to a ticket: one file that runs no script and loads nothing. It holds ' +
        'names of types, functions, modules, source files, threads and processes, command lines, and figures; nothing ' +
        "of the heap's contents, and no source text and no paths of source files unless --with-source is given.",
    ],
    [
      'memsurge report app.memsurge',
      'memsurge report app.memsurge --from 0.5s --process shop',
      'memsurge report app.memsurge --html report.html',
    ],
  );
}

/** The report's sections, then where to look further. */
function reportText(shell: Shell, opened: Opened, answers: readonly ReportAnswer[], processes: number): string {
  const { bold } = shell.colors;
  const sections = sectionsOf(answers, processes);
  return (sections.length === 0 ? [NOTHING_GREW] : [])
    .concat(
      sections.map(({ title, statements, more }) => {
        const lines = [
          ...statements.map(({ label, text }) => (label ? `${label}:`.padEnd(LABEL_WIDTH) + text : text)),
          ...(more === undefined ? [] : [more]),
        ];
        return [bold(wrap(title, shell.width)), ...lines.map((line) => wrap(line, shell.width, '  ', '    '))].join(
          '\n',
        );
      }),
    )
    .concat([bold('Look further'), ...nextCommands(opened, answers).map((line) => `  ${printable(line)}`)].join('\n'))
    .join('\n\n');
}

/** Commands that show more, of the trace as it is called in `path`. */
function nextCommands(opened: Opened, answers: readonly ReportAnswer[], path = opened.path): string[] {
  const trace = shellWord(path);
  const commands = answers.flatMap((answer) => nextOf(opened, answer, trace));
  const hasHeap = answers.some((answer) => findingsOf(answer, 'heap').length > 0);
  const place = placeFlags(opened.view);
  return [...commands, ...(hasHeap ? [line('heap', trace, place)] : []), line('timeline', trace, place)];
}

const line = (...words: string[]) => ['memsurge', ...words].filter((word) => word !== '').join(' ');

function nextOf(opened: Opened, { culprit, view, findings, nothing }: ReportAnswer, trace: string): string[] {
  const commands: string[] = [];
  const { hideSystem } = findings.findLast((one) => one.about === 'share')?.view ?? view;
  if (culprit !== undefined) {
    const hasLine = findings.some((one) => one.about === 'share' && one.dimension === 'line' && one.rows[0].line);
    if (hasLine) commands.push(line('code', trace, shellWord(culprit), viewFlags({ ...view, hideSystem: false })));
    const callers = viewWithCallers(opened.trace, { ...view, hideSystem, functions: [culprit] });
    if (callers !== undefined) commands.push(line('tree', trace, '--callers', viewFlags(callers)));
  } else if (findings.some((finding) => finding.about === 'share')) {
    commands.push(line('top', trace, '--by function', viewFlags({ ...view, hideSystem })));
    commands.push(line('tree', trace, viewFlags({ ...view, hideSystem })));
  }
  const peak = findings.find((finding) => finding.about === 'peak');
  if (peak !== undefined) commands.push(line('top', trace, '--by function', viewFlags(peak.view)));
  if (nothing !== undefined && findings.some((finding) => finding.about === 'native')) {
    const given: View = { ...view, kinds: ['native-heap'], metric: 'temporary' };
    commands.push(line('top', trace, '--by function', viewFlags(given)));
  }
  return commands;
}

/** The view whose tree of callers tells more than the function's own name; system code is unfolded where it needs to be. */
function viewWithCallers(trace: Trace, view: View): View | undefined {
  const views = [view, ...(view.hideSystem ? [{ ...view, hideSystem: false }] : [])];
  return views.find((one) => {
    const { rows } = tree(trace, one, 'callers', { limit: NODES_TO_TELL });
    return rows.length > 1 || rows.some(({ children }) => children.length > 0);
  });
}
