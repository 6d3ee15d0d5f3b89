import { spawn } from 'node:child_process';

/** One run of a command. `cpuSeconds` is user plus system time of it and of every descendant it waited for. */
export interface Run {
  readonly stdout: string;
  /** Monotonic ns just before the command was started. */
  readonly startedAt: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** What one side of a comparison does in each round. */
export interface Side {
  readonly name: string;
  readonly command: () => readonly string[];
}

/**
 * Runs every side once per round, the order turned round in every second one, so that a drift of the machine meets all
 * sides alike. A first round warms the caches and is not counted. Shape of the result: per side, one run per round.
 */
export async function alternate<S extends Side>(sides: readonly S[], rounds: number): Promise<Map<S, Run[]>> {
  const runs = new Map<S, Run[]>(sides.map((side) => [side, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      progress(round === 0 ? `warm-up: ${side.name}` : `round ${round} of ${rounds}: ${side.name}`);
      const run = await measure(side);
      if (round > 0) runs.get(side)!.push(run);
    }
  }
  progress('');
  return runs;
}

/** @throws Error with the command's stderr when it fails. */
async function measure(side: Side): Promise<Run> {
  // The shell's `times` is the plain way to the processor time of a whole process tree: its last line is the children's.
  const script = '"$@"; code=$?; times >&3; exit $code';
  const startedAt = Number(process.hrtime.bigint());
  const child = spawn('bash', ['-c', script, 'bash', ...side.command()], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [stdout, stderr, times] = [child.stdio[1]!, child.stdio[2]!, child.stdio[3] as NodeJS.ReadableStream].map(text);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const wallSeconds = (Number(process.hrtime.bigint()) - startedAt) / 1e9;
  if (code !== 0) throw new Error(`${side.name} ended with ${code}: ${stderr()}${stdout()}`);

  return { stdout: stdout(), startedAt, wallSeconds, cpuSeconds: childrenSeconds(times()) };
}

/** `command` through a shell that prints what it and its descendants used as the last line, for {@link childrenSeconds}. */
export function tellingTimes(command: readonly string[]): string[] {
  return ['bash', '-c', '"$@"; code=$?; times; exit $code', 'bash', ...command];
}

/** User plus system seconds of a shell's descendants, from the last line that its `times` printed. */
export function childrenSeconds(times: string): number {
  const last = times.trim().split('\n').at(-1)!;
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, min, sec]) => sum + Number(min) * 60 + Number(sec), 0);
}

function text(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Median of the ratios of two sides, paired by round: `1.05` means that `values` are 5 % above `base`. */
export function medianRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / base[round]));
}

/** Prints a table for a person and the same result as one line of JSON. */
export function printResult(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const cells = [columns, ...rows.map((row) => row.map(cell))];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at].length)));
  console.log(name);
  for (const row of cells)
    console.log(row.map((one, at) => (at === 0 ? one.padEnd(widths[at]) : one.padStart(widths[at]))).join('  '));
  console.log(
    JSON.stringify({
      bench: name,
      rows: rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]]))),
    }),
  );
}

function cell(value: string | number): string {
  return typeof value === 'string' || Number.isInteger(value) ? String(value) : value.toFixed(3);
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
