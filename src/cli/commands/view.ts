import { Command, InvalidArgumentError, Option } from 'commander';
import { addHelp } from '../help.ts';
import type { Shell } from '../shell.ts';
import { sourceRootOption } from '../view-options.ts';

export function viewCommand(shell: Shell, version: string): Command {
  const command = new Command('view')
    .summary('look at traces in the browser')
    .description(
      'Shows traces in the browser: prints the address of a page that this machine alone can open, and serves it until Ctrl-C.',
    )
    .argument('<trace...>', '.memsurge files, folders of recordings, or .nettrace files')
    .addOption(new Option('--port <n>', 'port to serve at').argParser(parsePort).default(0, 'any free one'))
    .option('--no-open', 'do not open a browser')
    .addOption(sourceRootOption())
    .action(async (paths: string[], { port, open, sourceRoot }: ViewFlags) => {
      const { checkTrace } = await import('../../read/open.ts');
      for (const path of paths) await checkTrace(path);
      const { serveTraces } = await import('../serve-traces.ts');
      await serveTraces(paths, { port, openBrowser: open, version, sourceRoots: sourceRoot ?? [] }, shell.out);
    });
  return addHelp(
    command,
    shell,
    [
      'The address holds a secret: who does not have it sees nothing. Over SSH, the line to type for a tunnel is printed.',
    ],
    [
      'memsurge view app.memsurge',
      'memsurge view before.memsurge after.memsurge',
      'memsurge view app.memsurge --port 8123 --no-open',
    ],
  );
}

interface ViewFlags {
  readonly port: number;
  readonly open: boolean;
  readonly sourceRoot?: readonly string[];
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new InvalidArgumentError('Give a number from 1 to 65535.');
  return port;
}
