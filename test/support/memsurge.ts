import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { afterAll } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import type { Answer } from '../../src/query/rows.ts';
import { openTrace } from '../../src/read/open.ts';
import type { Trace } from '../../src/trace/tables.ts';

const BIN = fileURLToPath(new URL('../../bin/memsurge.js', import.meta.url));
/** What npm puts into the PATH. */
export const COMMAND = fileURLToPath(new URL('../../bin/memsurge', import.meta.url));

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts any program with its output collected; `finished` settles when it ended. */
export function start(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): { child: ChildProcess; finished: Promise<Finished>; output: () => string } {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  return { child, finished, output: () => stdout };
}

/** Starts the built command line, as a user would. */
export const startMemsurge = (...args: string[]) => start(process.execPath, [BIN, ...args]);

/** Runs the built command line to its end. */
export const memsurge = (...args: string[]): Promise<Finished> => startMemsurge(...args).finished;

let opened: { readonly key: string; readonly trace: Promise<Trace> } | undefined;

/** The trace at `path`; that of the call before when the file is the same, for tests ask many questions of one. */
async function openAgain(path: string): Promise<Trace> {
  const file = await stat(path).catch(() => undefined);
  if (!file?.isFile()) return openTrace(path);
  const key = [path, file.ino, file.size, file.mtimeMs].join();
  if (opened?.key !== key) opened = { key, trace: openTrace(path) };
  return opened.trace;
}

/** Runs a command line that only reads traces, in this process: what `memsurge` prints, without the start of a process. */
export async function read(...args: string[]): Promise<Pick<Finished, 'status' | 'stdout' | 'stderr'>> {
  const printed = { stdout: '', stderr: '' };
  const status = await runProgram(
    args,
    {
      open: openAgain,
      out: (text) => {
        printed.stdout += `${text}\n`;
      },
      err: (text) => {
        printed.stderr += `${text}\n`;
      },
      width: Number.POSITIVE_INFINITY,
      colors: pc.createColors(false),
    },
    'test',
  );
  return { status: status ?? 0, ...printed };
}

/** Runs a reading command with --json and gives its answer. @throws Error with stderr when it fails. */
export async function ask(...args: string[]): Promise<Answer> {
  const { status, stdout, stderr } = await read(...args, '--json');
  if (status !== 0) throw new Error(`memsurge ${args.join(' ')} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Waits until `condition` holds. @throws Error after `seconds`. */
export async function until(condition: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`nothing happened within ${seconds} s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A folder of the calling test file's own, removed when its tests are done. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'memsurge-test-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
