import { Command } from 'commander';
import { type DotnetProcess, listDotnetProcesses } from '../../record/processes.ts';

export function psCommand(): Command {
  return new Command('ps')
    .summary('list the .NET processes of this machine')
    .description('Lists the .NET processes of this machine, and why one of them cannot be attached to.')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', '\nExamples:\n  memsurge ps\n  memsurge ps --json')
    .action(async ({ json }: { json: boolean }) => {
      const processes = await listDotnetProcesses();
      if (json) console.log(JSON.stringify({ processes }, null, 2));
      else if (processes.length === 0) console.log('No .NET process is running that this user can see.');
      else console.log(psTable(processes, process.stdout.isTTY ? process.stdout.columns : undefined));
    });
}

/** The list as text; rows are cut to `width` columns when that is given. */
export function psTable(processes: readonly DotnetProcess[], width: number | undefined): string {
  const rows = processes.map((one) => [
    String(one.pid),
    one.name,
    one.runtimeVersion || '-',
    `${(one.rss / 1048576).toFixed(0)} MB`,
    one.obstacle === undefined ? one.commandLine : `NOT ATTACHABLE: ${one.obstacle}`,
  ]);
  const table = [['PID', 'NAME', 'RUNTIME', 'RSS', 'COMMAND LINE'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column].length)));
  return table
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === 0 || column === 3 ? cell.padStart(widths[column]) : cell.padEnd(widths[column] ?? 0),
      );
      const line = cells.join('  ').trimEnd();
      return width === undefined || line.length <= width ? line : `${line.slice(0, width - 1)}…`;
    })
    .join('\n');
}
