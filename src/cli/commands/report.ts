import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { type ReportAnswer, report, reportViews } from '../../query/report.ts';
import { TraceError } from '../../trace/errors.ts';
import { findingsOf, sectionsOf } from '../../wording/findings.ts';
import { printJson, printWarnings } from '../print.ts';
import type { Shell } from '../shell.ts';
import { wrap } from '../terminal.ts';
import { addViewOptions, FILTER_HELP, openView, shellWord, type ViewOptions, viewFlags } from '../view-options.ts';

/** Processes with a sentence of their own; the rest are counted. */
const DEFAULT_PROCESSES = 3;
/** Of "Function:" and the like, with a gap. */
const LABEL_WIDTH = 10;

interface ReportOptions extends ViewOptions {
  readonly html?: string;
  readonly withSource?: true;
}

export function reportCommand(shell: Shell, version: string): Command {
  const command = new Command('report')
    .summary('say what grew and who did it, in plain words')
    .description('What grew and who did it, in plain words.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .addOption(new Option('--html <file>', 'write it as one web page with charts and tables').conflicts('json'))
    .option('--with-source', 'with --html: put the source around the lines that allocated most into the page');
  return addViewOptions(command, `processes spoken of (default ${DEFAULT_PROCESSES})`)
    .addHelpText(
      'after',
      `${FILTER_HELP}

The page of --html is made to be attached to a ticket: one file that runs no script and loads nothing. It holds names of
types, functions, modules, source files, threads and processes, command lines, and figures; nothing of the heap's
contents, and no source text and no paths of source files unless --with-source is given.

Examples:
  memsurge report app.memsurge
  memsurge report app.memsurge --from 10s --process shop
  memsurge report app.memsurge --html report.html`,
    )
    .action(async (path: string, options: ReportOptions) => {
      if (options.withSource && options.html === undefined) throw new TraceError('--with-source needs --html');
      const { trace, view } = await openView(shell, path, options);
      const answers = reportViews(trace, view, options.metric !== undefined).map((one) => report(trace, one));
      const processes = options.limit ?? DEFAULT_PROCESSES;
      if (options.html !== undefined) {
        const { writePage } = await import('../write-page.ts');
        const commands = nextCommands(answers, basename(path));
        const notes = { asked: view, version, processes, commands };
        await writePage(shell, options.html, trace, answers, notes, options.withSource ?? false);
        return;
      }
      const [answer, ...more] = answers;
      if (options.json) {
        printJson(shell, { ...answer, more });
        return;
      }
      shell.out(reportText(shell, answers, path, processes));
      printWarnings(shell, [...new Set(answers.flatMap(({ warnings }) => warnings))]);
    });
}

/** The report's sections, then where to look further. */
function reportText(shell: Shell, answers: readonly ReportAnswer[], path: string, processes: number): string {
  const { bold } = shell.colors;
  return sectionsOf(answers, processes)
    .map(({ title, statements, more }) => {
      const lines = [
        ...statements.map(({ label, text }) => (label ? `${label}:`.padEnd(LABEL_WIDTH) + text : text)),
        ...(more === undefined ? [] : [more]),
      ];
      return [bold(title), ...lines.map((line) => wrap(line, shell.width, '  ', '    '))].join('\n');
    })
    .concat([bold('Look further'), ...nextCommands(answers, path).map((line) => `  ${line}`)].join('\n'))
    .join('\n\n');
}

function nextCommands(answers: readonly ReportAnswer[], path: string): string[] {
  const trace = shellWord(path);
  const commands = answers.flatMap((answer) => nextOf(answer, trace));
  const hasHeap = answers.some((answer) => findingsOf(answer, 'heap').length > 0);
  return [...commands, ...(hasHeap ? [line('heap', trace)] : []), line('timeline', trace)];
}

const line = (...words: string[]) => ['memsurge', ...words].filter((word) => word !== '').join(' ');

function nextOf({ culprit, view, findings }: ReportAnswer, trace: string): string[] {
  const commands: string[] = [];
  const { hideSystem } = findings.findLast((one) => one.about === 'share')?.view ?? view;
  if (culprit !== undefined) {
    const hasLine = findings.some((one) => one.about === 'share' && one.dimension === 'line' && one.rows[0].line);
    if (hasLine) commands.push(line('code', trace, shellWord(culprit), viewFlags({ ...view, hideSystem: false })));
    commands.push(line('tree', trace, '--callers', viewFlags({ ...view, hideSystem, functions: [culprit] })));
  } else if (findings.some((finding) => finding.about === 'share')) {
    commands.push(line('top', trace, '--by function', viewFlags({ ...view, hideSystem })));
    commands.push(line('tree', trace, viewFlags({ ...view, hideSystem })));
  }
  return commands;
}
