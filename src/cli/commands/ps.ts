import { Command } from 'commander';
import type { DotnetProcess } from '../../record/processes.ts';
import { formatBytes } from '../../wording/figures.ts';
import { addHelp } from '../help.ts';
import { printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { formatTable } from '../table.ts';

export function psCommand(shell: Shell): Command {
  const command = new Command('ps')
    .summary('list the .NET processes of this machine')
    .description(
      'Lists the .NET processes of this machine, and why one of them cannot be attached to.\n' +
        'Any other program is attached to by its pid or name (x64, glibc): it is not in this list.',
    )
    .option('--json', 'print one JSON object')
    .action(async ({ json }: { json?: true }) => {
      const { listDotnetProcesses } = await import('../../record/processes.ts');
      const processes = await listDotnetProcesses();
      if (json) printJson(shell, { processes });
      else if (processes.length === 0) shell.out('No .NET process is running that this user can see.');
      else shell.out(psTable(processes, shell.width, shell.colors.dim));
    });
  return addHelp(command, shell, [], ['memsurge ps', 'memsurge ps --json']);
}

/** The list as text that fits `width` columns. */
export function psTable(processes: readonly DotnetProcess[], width: number, header: (text: string) => string): string {
  const column = (cell: (one: DotnetProcess) => string) => processes.map(cell);
  return formatTable(
    [
      { title: 'PID', cells: column((one) => String(one.pid)), align: 'right' },
      { title: 'Name', cells: column((one) => one.name) },
      { title: 'Runtime', cells: column((one) => one.runtimeVersion || '?') },
      { title: 'RSS', cells: column((one) => formatBytes(one.rss)), align: 'right' },
      {
        title: 'Command line',
        cells: column(({ obstacle, commandLine }) =>
          obstacle === undefined ? commandLine : `not attachable: ${obstacle}`,
        ),
        flexible: true,
      },
    ],
    width,
    header,
  );
}
