import pc from 'picocolors';
import { printable, printableLines } from '../trace/printable.ts';
import type { Trace } from '../trace/tables.ts';

/** What the reading commands need from the outside; tests give their own. */
export interface Shell {
  /** @throws TraceError when there is no readable trace at `path`. */
  open(path: string): Promise<Trace>;
  out(text: string): void;
  err(text: string): void;
  /** Columns of the terminal, Infinity when the output is not one. */
  readonly width: number;
  readonly colors: ReturnType<typeof pc.createColors>;
}

/** The real one: colours and a progress line only on a terminal, and none with NO_COLOR set. */
export function processShell(): Shell {
  const { stdout, stderr, env } = process;
  return {
    open: openWithProgress,
    out: (text) => stdout.write(`${harmless(text)}\n`),
    err: (text) => stderr.write(`${harmless(text)}\n`),
    width: (stdout.isTTY && stdout.columns) || Number.POSITIVE_INFINITY,
    colors: pc.createColors(stdout.isTTY && mayColor(env)),
  };
}

const mayColor = (env: NodeJS.ProcessEnv) => !env.NO_COLOR && env.TERM !== 'dumb';

/** A last look at all that is written: nothing but our own colours may lead a terminal. */
function harmless(text: string): string {
  return text
    .split(/(\x1b\[\d{1,2}m)/)
    .map((part, i) => (i % 2 === 1 ? part : printableLines(part)))
    .join('');
}

// Loaded when they are needed: "run" must get to its program quickly.
async function openWithProgress(path: string): Promise<Trace> {
  const { openTrace } = await import('../read/open.ts');
  // A terminal of unknown size says 0 columns, on which ora would erase lines for ever.
  if (!process.stderr.isTTY || !process.stderr.columns) return openTrace(path);
  const { default: ora } = await import('ora');
  const spinner = ora({
    text: `reading ${path}`,
    stream: process.stderr,
    ...(!mayColor(process.env) && { color: false as const }),
  }).start();
  try {
    return await openTrace(path, {
      onProgress: ({ text, fraction }) => {
        const name = printable(text);
        spinner.text = fraction === undefined ? name : `${name}, ${Math.floor(fraction * 100)} %`;
      },
    });
  } finally {
    spinner.stop();
  }
}
