import { type StdioOptions, spawn } from 'node:child_process';
import { constants as access, accessSync, existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf, TraceError } from '../trace/errors.ts';
import { closeInherited, inheritedDescriptors } from './descriptors.ts';
import { CLOSED_STREAMS, IGNORED_SIGNALS } from './given.ts';
import { findProgram } from './native/program.ts';

export interface Launched {
  readonly pid: number;
  readonly ended: Promise<{ code: number; words: string }>;
  /** Signals are ours again. */
  restoreSignals(): void;
}

/** A shell's exit codes of a program that is not there, and of one that it may not execute. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * Starts `command` as a shell would start it in our place: with our streams, the descriptors and the limit of open files
 * that we were started with, and in its environment `variables` besides ours.
 * @throws TraceError when it cannot be started.
 */
export async function launch(command: readonly string[], variables: Record<string, string>): Promise<Launched> {
  // Before it starts: it runs, and may be seen to run, before spawn returns. The signals are handled after that.
  const restoreSignals = passSignals((signal) => child.kill(signal));
  const inherited = inheritedDescriptors();
  const { file, args, env } = asInOurPlace(command, variables);
  const child = spawn(file, args, { stdio: standardStreamsAnd(inherited), env });
  const ended = new Promise<{ code: number; words: string }>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(
        signal === null
          ? { code: code ?? 0, words: `exit code ${code}` }
          : { code: 128 + constants.signals[signal], words: `killed by ${signal}` },
      ),
    );
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => reject(notStarted(command[0], error)));
  }).catch((error) => {
    restoreSignals();
    throw error;
  });
  closeInherited(inherited);
  return { pid: child.pid!, ended, restoreSignals };
}

/** @throws TraceError when `program` is not there or cannot be executed, as far as can be known without starting it. */
export function checkProgram(program: string): void {
  const file = findProgram(program);
  try {
    accessSync(file ?? '', access.X_OK);
  } catch (error) {
    throw notStarted(program, error as NodeJS.ErrnoException);
  }
}

function notStarted(program: string, error: NodeJS.ErrnoException): TraceError {
  if (error.code === 'ENOENT') return new TraceError(`${program}: command not found`, NOT_FOUND);
  if (error.code === 'EACCES') {
    const way = program.endsWith('.dll')
      ? `start it with "dotnet ${program}"`
      : 'make it one (chmod +x), or name its interpreter';
    return new TraceError(`${program}: not an executable file; ${way}`, NOT_EXECUTABLE);
  }
  return new TraceError(`cannot start ${program} (${messageOf(error)})`, NOT_EXECUTABLE);
}

const SHELL = '/bin/sh';

/**
 * Node raises the limit of open files for itself, gives signals their defaults and opens closed streams, and what an init
 * system says to one pid (sd_listen_fds(3), sd_watchdog_enabled(3)) must name the program's. All that can be set right only by
 * the process that becomes the program: a shell, without our variables, which are for the program.
 */
function asInOurPlace(command: readonly string[], variables: Record<string, string>) {
  const ours = String(process.pid);
  const pids = ['LISTEN_PID', 'WATCHDOG_PID'].filter((name) => process.env[name] === ours);
  const limit = softLimitBefore();
  const asGiven = [
    ...IGNORED_SIGNALS.map((signal) => `trap '' ${signal}`),
    ...CLOSED_STREAMS.map((fd) => (fd === 0 ? 'exec <&-' : `exec ${fd}>&-`)),
  ];
  if ((pids.length === 0 && limit === undefined && asGiven.length === 0) || !existsSync(SHELL)) {
    return { file: command[0], args: command.slice(1), env: { ...process.env, ...variables } };
  }
  // A pidfd's number names us as well, and is optional.
  const { LISTEN_PIDFDID: _, ...env } = process.env;
  const names = Object.keys(variables);
  const script = [
    ...(limit === undefined ? [] : [`ulimit -Sn ${limit}`]),
    ...pids.map((name) => `export ${name}=$$`),
    ...names.map((name) => `export ${name}="$1"; shift`),
    ...asGiven,
    'exec "$@"',
  ];
  return { file: SHELL, args: ['-c', script.join('\n'), 'sh', ...Object.values(variables), ...command], env };
}

/** The soft limit of open files that we were started with, where that differs from ours: that of who started us. */
function softLimitBefore(): number | undefined {
  const [ours, parents] = ['self', process.ppid].map(openFilesLimit);
  return ours && parents && parents.hard === ours.hard && parents.soft < ours.soft ? parents.soft : undefined;
}

function openFilesLimit(pid: number | string): { soft: number; hard: number } | undefined {
  try {
    const match = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'latin1'));
    return match ? { soft: Number(match[1]), hard: Number(match[2]) } : undefined;
  } catch {
    return undefined;
  }
}

/** For spawn: our standard streams, and `descriptors` under their own numbers. */
function standardStreamsAnd(descriptors: readonly number[]): StdioOptions {
  const stdio: StdioOptions = Array.from({ length: Math.max(2, ...descriptors) + 1 }, () => 'ignore' as const);
  for (const fd of [0, 1, 2, ...descriptors]) stdio[fd] = fd;
  return stdio;
}

/** What would end us, and is meant for the program: a server opens its log anew on one, or reads its settings. */
const FORWARDED = [
  'SIGTERM',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
] as const;

/** While the program runs, what the terminal sends to both of us is the program's business, and the rest goes on to it. */
function passSignals(forward: (signal: NodeJS.Signals) => void): () => void {
  const ignore = () => {};
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  for (const signal of FORWARDED) process.on(signal, forward);
  return () => {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
    for (const signal of FORWARDED) process.off(signal, forward);
  };
}
