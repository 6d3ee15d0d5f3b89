import { Command } from 'commander';
import { reportError } from './errors.ts';
import { helpWidth } from './help.ts';
import type { Shell } from './shell.ts';
import { wrap } from './terminal.ts';

type MakeCommand = (shell: Shell, version: string) => Command;

/** Every command in the order of the help; each is loaded only when it is needed, for "run" must get to its program quickly. */
const COMMANDS: ReadonlyMap<string, () => Promise<MakeCommand>> = new Map([
  ['run', async () => (await import('./commands/run.ts')).runCommand],
  ['attach', async () => (await import('./commands/attach.ts')).attachCommand],
  ['ps', async () => (await import('./commands/ps.ts')).psCommand],
  ['report', async () => (await import('./commands/report.ts')).reportCommand],
  ['top', async () => (await import('./commands/top.ts')).topCommand],
  ['tree', async () => (await import('./commands/tree.ts')).treeCommand],
  ['code', async () => (await import('./commands/code.ts')).codeCommand],
  ['heap', async () => (await import('./commands/heap.ts')).heapCommand],
  ['timeline', async () => (await import('./commands/timeline.ts')).timelineCommand],
  ['view', async () => (await import('./commands/view.ts')).viewCommand],
]);

/** Runs one command line and returns the exit code of an error; undefined when the command ended well. */
export async function runProgram(args: readonly string[], shell: Shell, version: string): Promise<number | undefined> {
  const asked = COMMANDS.get(args[0]);
  try {
    const makers = await Promise.all((asked === undefined ? [...COMMANDS.values()] : [asked]).map((load) => load()));
    const program = createProgram(
      makers.map((make) => make(shell, version)),
      shell,
      version,
    );
    // Beside a help option Commander does not say that there is no such command.
    const isUnknown = asked === undefined && args.length > 0 && !/^(help$|-)/.test(args[0]);
    await program.parseAsync(isUnknown ? args.slice(0, 1) : args, { from: 'user' });
    return undefined;
  } catch (error) {
    return reportError(error, shell.err);
  }
}

const START = `Start here:
  memsurge run -o app.memsurge -- ./app   # record a program from its start
  memsurge attach 4711 --duration 30s     # record a running one for a while
  memsurge report app.memsurge            # what grew and who did it
  memsurge view app.memsurge              # the same in the browser`;
const READING =
  'Every reading command also opens the .nettrace of another tool, takes the same filters as far as they tell it ' +
  'something, and prints exact figures with --json. Exit codes: 0 done, 2 wrong usage or unreadable input; "run" ' +
  'passes on the code of the program, or as a shell does 127 when it is not there and 126 when it cannot be executed.';

/** The command line of these commands. Commander throws instead of ending the process. */
function createProgram(commands: readonly Command[], shell: Shell, version: string): Command {
  const program = new Command('memsurge')
    .description(
      'Finds out why the memory of a .NET or native program on Linux grows, from a light trace instead of a dump.',
    )
    .version(version)
    // "run" hands what follows the program's name to the program.
    .enablePositionalOptions()
    .addHelpText('after', `\n${START}\n\n${wrap(READING, helpWidth(shell))}`);
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands]) throwInsteadOfExit(command, shell);
  return program;
}

/** Commander's complaints in our form: one line, a suggestion where it has one, and how to get help. */
function throwInsteadOfExit(command: Command, shell: Shell): void {
  const name = command.name() === 'memsurge' ? 'memsurge' : `memsurge ${command.name()}`;
  command
    .exitOverride()
    // The default leaves descriptions that have little room in one long line.
    .configureHelp({ minWidthToWrap: 15 })
    .showSuggestionAfterError()
    .configureOutput({
      getOutHelpWidth: () => helpWidth(shell),
      getErrHelpWidth: () => helpWidth(shell),
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
