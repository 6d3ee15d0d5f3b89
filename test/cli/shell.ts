import { Command } from 'commander';
import pc from 'picocolors';
import { reportError } from '../../src/cli/errors.ts';
import type { Shell } from '../../src/cli/shell.ts';
import type { Trace } from '../../src/trace/tables.ts';

export interface Printed {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** Runs one reading command in this process on a given trace, as on a terminal of `width` columns without colours. */
export async function runOn(
  trace: Trace,
  make: (shell: Shell, version: string) => Command,
  args: readonly string[],
  width = Number.POSITIVE_INFINITY,
): Promise<Printed> {
  let out = '';
  let err = '';
  const shell: Shell = {
    open: async () => trace,
    out: (text) => {
      out += `${text}\n`;
    },
    err: (text) => {
      err += `${text}\n`;
    },
    width,
    colors: pc.createColors(false),
  };
  const command = make(shell, '1.2.3')
    .exitOverride()
    .configureOutput({ writeOut: (text) => shell.out(text), writeErr: (text) => shell.err(text.trimEnd()) });
  try {
    await new Command().addCommand(command).parseAsync([command.name(), 'app.memsurge', ...args], { from: 'user' });
    return { out, err, code: 0 };
  } catch (error) {
    return { code: reportError(error, shell.err), out, err };
  }
}
