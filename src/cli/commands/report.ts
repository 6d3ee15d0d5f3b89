import { Command } from 'commander';
import { type ReportAnswer, report, reportViews } from '../../query/report.ts';
import { findingsOf, sectionsOf } from '../../wording/findings.ts';
import { printJson, printWarnings } from '../print.ts';
import type { Shell } from '../shell.ts';
import { wrap } from '../terminal.ts';
import { addViewOptions, FILTER_HELP, openView, shellWord, type ViewOptions, viewFlags } from '../view-options.ts';

/** Processes with a sentence of their own; the rest are counted. */
const DEFAULT_PROCESSES = 3;
/** Of "Function:" and the like, with a gap. */
const LABEL_WIDTH = 10;

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
  if (culprit !== undefined) {
    commands.push(line('code', trace, shellWord(culprit), viewFlags({ ...view, hideSystem: false })));
    commands.push(line('tree', trace, '--callers', viewFlags({ ...view, functions: [culprit] })));
  } else if (findings.some((finding) => finding.about === 'share')) {
    commands.push(line('top', trace, '--by function', viewFlags(view)));
    commands.push(line('tree', trace, viewFlags(view)));
  }
  return commands;
}
