import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { messageOf, TraceError } from '../trace/errors.ts';
import { acceptRuntimes } from './children.ts';
import { monotonicNow } from './clock.ts';
import { createRecordingFolder } from './folder.ts';
import { openGuardedPort } from './guard.ts';
import { showLive } from './live.ts';
import { type NativeOptions, planNative, preloadEnvironment } from './native/library.ts';
import { type NativeLooker, startNativeLooker } from './native/looker.ts';
import { whyNotPreloadable } from './native/program.ts';
import { chooseOutput } from './output.ts';
import { pack } from './pack.ts';
import { commandLine, programOf } from './proc.ts';
import { startProcSampler } from './proc-sampler.ts';
import { say, TOOL } from './say.ts';

export interface RunOptions {
  readonly command: readonly string[];
  /** File to write; by default named after the program and the time. */
  readonly output: string | undefined;
  readonly withSource: boolean;
  readonly native: NativeOptions;
}

export interface RunResult {
  /** The program's exit code; 128 + number of the signal that ended it, as a shell says it. */
  readonly code: number;
  /** The file that was written; the recording's folder when that failed, which opens like the file. */
  readonly trace: string;
}

/**
 * Launches a program, records it and every .NET process it starts until it ends, and writes the trace. The program has
 * our standard streams and our terminal; it gets Ctrl-C from the terminal itself, and SIGTERM and SIGHUP from us.
 * @throws TraceError when it cannot be started or nothing can be written.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const output = await chooseOutput(options.output, programOf(options.command));
  const native = planNative(options.native, whyNotPreloadable(options.command[0]));
  /** What is to be taken back when the program does not start, in the order it was begun. */
  const begun: (() => unknown)[] = [];
  const { port, folder, sampler, looker, live, runtimes, target } = await start().catch(async (error) => {
    for (const takeBack of begun.reverse()) await takeBack();
    throw error;
  });
  runtimes.launched(target.pid);
  looker?.launched(target.pid);
  const root = folder.addProcess({
    pid: target.pid,
    parentPid: process.pid,
    name: programOf(options.command),
    commandLine: commandLine(options.command),
    runtime: '',
    startTime: monotonicNow(),
  });
  sampler.add(root);
  const { code, words } = await target.ended;
  target.restoreSignals();

  sampler.sampleAll();
  await runtimes.stop();
  // The program's exit code counts: what fails from here on costs a part of the trace at most.
  await looker
    ?.finish()
    .catch((error) => folder.warn(`native memory was not gathered to its end: ${messageOf(error)}`));
  runtimes.rootEnded(words);
  runtimes.close();
  port.release();
  sampler.close();
  const problem = whatIsMissing(runtimes.count, looker);
  if (problem !== undefined) folder.warn(problem);
  await folder.finish();
  // The program's exit code counts, whatever becomes of the trace; its folder stays when it cannot be packed.
  const trace = await pack(folder.path, output, options.withSource, live).then(
    () => output,
    (error) => {
      say(messageOf(error));
      return folder.path;
    },
  );
  if (problem !== undefined) say(problem);
  return { code, trace };

  async function start() {
    // First, so that the guardian starts while we do the rest.
    const port = await openGuardedPort(process.env.DOTNET_DiagnosticPorts);
    begun.push(port.release, () => port.server.close());
    const folder = await createRecordingFolder(output, { tool: TOOL, mode: 'run', command: [...options.command] });
    begun.push(folder.remove);
    const sampler = startProcSampler(folder);
    begun.push(sampler.close);
    const looker = native && (await startNativeLooker(folder, sampler));
    if (looker) begun.push(looker.finish);
    // The program prints on the same terminal: a live line would tear its output apart.
    const live = await showLive(folder, sampler, looker, !process.stdout.isTTY);
    begun.push(live.close);
    const runtimes = acceptRuntimes(port, folder, sampler, live.onChunk);
    begun.push(runtimes.close);
    folder.onFailure((text) => {
      say(text);
      void runtimes.stop();
    });
    const environment = { ...process.env, DOTNET_DiagnosticPorts: port.launchValue };
    const target = await launch(
      options.command,
      native && looker ? preloadEnvironment(environment, native, looker.path) : environment,
    );
    return { port, folder, sampler, looker, live, runtimes, target };
  }
}

/** A sentence when nothing was recorded, or only one of the two things that were to be. */
function whatIsMissing(runtimes: number, looker: NativeLooker | undefined): string | undefined {
  if (looker === undefined) {
    return runtimes > 0
      ? undefined
      : 'no .NET runtime connected: the program is not .NET, starts it without its environment, or has DOTNET_EnableDiagnostics=0';
  }
  if (looker.count > 0) return undefined;
  return `no native memory was recorded: the program is statically linked, set-user-id, or starts without its environment${
    runtimes > 0 ? '' : '; no .NET runtime connected either'
  }`;
}

interface Launched {
  readonly pid: number;
  readonly ended: Promise<{ code: number; words: string }>;
  restoreSignals(): void;
}

async function launch(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Launched> {
  // Before it starts: it runs, and may be seen to run, before spawn returns. The signals are handled after that.
  const restoreSignals = passSignals((signal) => child.kill(signal));
  const child = spawn(command[0], command.slice(1), { stdio: 'inherit', env });
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
    child.once('error', (error: NodeJS.ErrnoException) => reject(new TraceError(whyNotStarted(command[0], error))));
  }).catch((error) => {
    restoreSignals();
    throw error;
  });
  return { pid: child.pid!, ended, restoreSignals };
}

function whyNotStarted(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return `${program}: command not found`;
  if (error.code === 'EACCES') return `${program}: not an executable file; start a .dll with "dotnet ${program}"`;
  return `cannot start ${program} (${messageOf(error)})`;
}

/** While the program runs, what the terminal sends to both of us is the program's business, and the rest goes on to it. */
function passSignals(forward: (signal: NodeJS.Signals) => void): () => void {
  const ignore = () => {};
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
  return () => {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, forward);
  };
}
