import { CommanderError } from 'commander';
import { isForeseeable, messageOf, TraceError } from '../trace/errors.ts';
import { printable, printableLines } from '../trace/printable.ts';

/** Exit code of wrong usage, unreadable input and our own faults. */
const EXIT_WRONG = 2;

/**
 * Says on stderr what was thrown, in one line where the message is one, and returns the exit code. Commander prints its
 * own complaints before it throws them.
 */
export function reportError(error: unknown, err: (text: string) => void): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_WRONG;
  if (error instanceof TraceError) {
    err(`memsurge: ${printableLines(error.message)}`);
    return error.exitCode;
  }
  if (isForeseeable(error) && !process.env.MEMSURGE_DEBUG) {
    err(`memsurge: ${messageOf(error)}`);
  } else if (process.env.MEMSURGE_DEBUG) {
    err(`memsurge: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } else {
    err(
      `memsurge: unexpected error: ${printable(messageOf(error).split('\n')[0])} (set MEMSURGE_DEBUG=1 for the stack)`,
    );
  }
  return EXIT_WRONG;
}

/** What nobody caught is said like the rest; a recording goes on, for its program's exit code counts. */
export function sayUncaught(err: (text: string) => void): void {
  const sayIt = (error: unknown) => {
    process.exitCode = reportError(error, err);
  };
  process.on('uncaughtException', sayIt);
  process.on('unhandledRejection', sayIt);
}

/**
 * Standard output whose reader has gone ("| head") ends the command quietly, one that cannot be written with one line. That
 * nobody reads standard error changes nothing: a recording goes on, and the program's exit code is passed on.
 */
export function outliveBrokenOutput(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    process.stderr.write(`memsurge: cannot write the answer: ${error.message}\n`);
    process.exit(EXIT_WRONG);
  });
}
