import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { attachToNative } from '../../src/record/native/attach/load.ts';
import { type AgentCounters, openAgentCounters } from '../../src/record/native/counters.ts';
import type { NativePlan } from '../../src/record/native/library.ts';
import { start, startMemsurge, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { nativeSamplePath } from '../support/samples.ts';

/** The waits that the sample `restless` knows: nobody may cut them short. */
export const WAITS = [
  'nanosleep',
  'clock_nanosleep',
  'poll',
  'ppoll',
  'select',
  'futex',
  'epoll',
  'sigtimedwait',
] as const;
/** What it does besides, and checks. */
export const WORK = ['registers', 'malloc', 'signals', 'load'] as const;

const LIBRARY = join(ROOT, 'dist', 'agent', 'libmemsurge.so');
const INJECTOR = join(dirname(LIBRARY), 'memsurge-inject');

/** A program that checks all the time that nobody meddles with it. */
export interface Restless {
  readonly pid: number;
  readonly child: ChildProcess;
  output(): string;
  /** Ends it. @returns what it says of itself and its exit code: `errors 0`, 9 when nothing was wrong. */
  end(): Promise<{ said: string; status: number | null; signal: NodeJS.Signals | null }>;
}

export async function startRestless(
  args: readonly string[],
  prefix: readonly string[] = [],
  env = process.env,
): Promise<Restless> {
  const [command, ...rest] = [...prefix, nativeSamplePath('restless'), ...args];
  const { child, finished, output } = start(command, rest, env);
  await until(() => output().includes('ready'));
  return {
    pid: Number(/ready (\d+)/.exec(output())?.[1]),
    child,
    output,
    async end() {
      child.kill('SIGTERM');
      const { stdout, status, signal } = await finished;
      return { said: stdout.split('\n').slice(1).join('\n').trim(), status, signal };
    },
  };
}

/** Attaches `count` times, records for a moment and stops; every other time exactly. Gives what went wrong. */
export async function cycles(pid: number, count: number): Promise<string[]> {
  const problems: string[] = [];
  for (let i = 0; i < count; i++) {
    const directory = await mkdtemp('/dev/shm/memsurge-test-');
    try {
      await cycle(pid, { mode: i % 2 === 0 ? 'sampled' : 'exact', sampleBytes: 65_536, library: LIBRARY }, directory);
    } catch (error) {
      problems.push(`${i}: ${error}`);
    }
    if (!isFree(pid)) problems.push(`${i}: ${stateOf(pid)}`);
    await rm(directory, { recursive: true });
  }
  return problems;
}

async function cycle(pid: number, plan: NativePlan, directory: string): Promise<void> {
  const files = await attachToNative(pid, plan, directory);
  try {
    await stopAgent(pid, files.directory);
  } finally {
    await files.release();
  }
}

/** Has the agent in `directory` stop, and waits until it is gone from the process. */
async function stopAgent(pid: number, directory: string): Promise<void> {
  let counters: AgentCounters | undefined;
  await until(() => {
    const name = readdirSync(directory).find((one) => one.endsWith('.agent'));
    counters = name === undefined ? undefined : openAgentCounters(join(directory, name), (inside) => inside);
    return counters !== undefined;
  });
  counters!.askToStop();
  // Its thread has its name only once it runs.
  await until(() => counters!.endTime !== undefined);
  counters!.close();
  await until(() => !hasAgentThread(pid));
}

const hasAgentThread = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).some((tid) => {
    try {
      return readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8') === 'memsurge\n';
    } catch {
      return false; // a thread that has just ended
    }
  });

const stateOf = (pid: number): string =>
  readFileSync(`/proc/${pid}/status`, 'utf8')
    .match(/^(State|TracerPid):.*$/gm)!
    .join(', ');

/** Neither stopped nor traced, in any of its threads. */
export const isFree = (pid: number): boolean => /State:\t[^tT].*TracerPid:\t0$/.test(stateOf(pid));

/** What `end` gives of a program to which nothing has happened. */
export const UNHARMED = { said: 'errors 0', status: 9, signal: null };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Kills injectors in the middle of their work on process `pid`. Gives what went wrong. */
export async function killInjectors(pid: number, folder: string, count: number): Promise<string[]> {
  const problems: string[] = [];
  for (let i = 0; i < count; i++) {
    const directory = await mkdtemp(join(folder, 'agents-'));
    const args = ['load', `${pid}`, directory, dirname(INJECTOR), 'sampled,65536'];
    const injector = spawn(INJECTOR, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => injector.once('exit', resolve));
    // What it says first comes right before it looks for a thread.
    await new Promise((resolve) => injector.stdout.once('data', resolve));
    await pause(Math.random() * 25);
    injector.kill('SIGKILL');
    await ended;
    if (!isFree(pid)) problems.push(`${i}: ${stateOf(pid)}`);
    if (readdirSync(directory).some((name) => name.endsWith('.agent'))) await stopAgent(pid, directory);
  }
  return problems;
}

/** Kills recorders at any moment of their start, each with a program of its own. Gives what went wrong. */
export async function killRecorders(folder: string, count: number): Promise<string[]> {
  const problems: string[] = [];
  let whole = 0;
  for (let i = 0; i < count; i++) {
    const target = await startRestless(['signals']);
    const recorder = startMemsurge('attach', String(target.pid), '-o', join(folder, `killed${i}.memsurge`));
    const begun = Date.now();
    let said = '';
    recorder.child.stderr?.on('data', (text) => {
      said += text;
    });
    const isRecording = () => said.includes('with its native memory');
    // The first tells how long it takes.
    if (i === 0) await until(isRecording);
    if (i === 0) whole = Date.now() - begun;
    await pause(i === 0 ? 0 : Math.random() * whole * 1.2);
    recorder.child.kill('SIGKILL');
    await recorder.finished;
    await until(() => injectorsOf(target.pid).length === 0);
    if (!isFree(target.pid)) problems.push(`${i}: ${stateOf(target.pid)}`);
    const { said: words, status, signal } = await target.end();
    if (words !== 'errors 0' || status !== 9) problems.push(`${i}: ${words}, ${status ?? signal}`);
  }
  return problems;
}

/** Injectors that work on process `pid`. */
function injectorsOf(pid: number): number[] {
  const found = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  return [...found.matchAll(/^\s*(\d+) \S*memsurge-inject \S+ (\d+) /gm)].flatMap(([, own, target]) =>
    Number(target) === pid ? [Number(own)] : [],
  );
}
