import { Command } from 'commander';
import { attachCommand } from './commands/attach.ts';
import { codeCommand } from './commands/code.ts';
import { heapCommand } from './commands/heap.ts';
import { psCommand } from './commands/ps.ts';
import { reportCommand } from './commands/report.ts';
import { runCommand } from './commands/run.ts';
import { timelineCommand } from './commands/timeline.ts';
import { topCommand } from './commands/top.ts';
import { treeCommand } from './commands/tree.ts';
import { viewCommand } from './commands/view.ts';
import { reportError } from './errors.ts';
import type { Shell } from './shell.ts';

/** The whole command line. Commander throws instead of ending the process, see {@link runProgram}. */
export function createProgram(shell: Shell, version: string): Command {
  const program = new Command('memsurge')
    .description('Finds out why the memory of a .NET process on Linux grows, from a light trace instead of a dump.')
    .version(version)
    // "run" hands what follows the program's name to the program.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Start here:
  memsurge run -o app.memsurge -- ./app       record a program from its start
  memsurge attach 4711 --duration 30s         record a running one for a while
  memsurge report app.memsurge                what grew and who did it
  memsurge view app.memsurge                  the same in the browser, to look further

Every reading command also opens the .nettrace of another tool, takes the same filters, and prints exact figures with
--json. Exit codes: 0 done, 2 wrong usage or unreadable input; "run" passes on the code of the program.`,
    );
  const commands = [
    runCommand(shell, version),
    attachCommand(shell, version),
    psCommand(shell),
    reportCommand(shell, version),
    ...[topCommand, treeCommand, codeCommand, heapCommand, timelineCommand].map((make) => make(shell)),
    viewCommand(shell, version),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands]) throwInsteadOfExit(command, shell);
  return program;
}

/** Runs one command line and returns the exit code of an error; undefined when the command ended well. */
export async function runProgram(program: Command, args: readonly string[], shell: Shell): Promise<number | undefined> {
  try {
    await program.parseAsync(args, { from: 'user' });
    return undefined;
  } catch (error) {
    return reportError(error, shell.err);
  }
}

/** Commander's complaints in our form: one line, a suggestion where it has one, and how to get help. */
function throwInsteadOfExit(command: Command, shell: Shell): void {
  const name = command.name() === 'memsurge' ? 'memsurge' : `memsurge ${command.name()}`;
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => shell.out(text.trimEnd()),
      writeErr: (text) => shell.err(text.trimEnd()),
      outputError: (text, write) => {
        const complaint = text
          .trim()
          .replace(/^error: /, '')
          .replace(/\s*\n\s*/g, ' ');
        write(`memsurge: ${complaint} (see "${name} --help")`);
      },
    });
}
