import { messageOf } from '../trace/errors.ts';
import { NATIVE_KINDS } from '../trace/kinds.ts';
import { listed } from '../trace/listed.ts';
import type { ManifestProcess } from '../trace/manifest.ts';
import { acceptRuntimes } from './children.ts';
import { monotonicNow } from './clock.ts';
import { diagnosticsOff, diagnosticsOffHere } from './diagnostics-off.ts';
import { createRecordingFolder, type RecordingFolder } from './folder.ts';
import { openGuardedPort } from './guard.ts';
import { checkProgram, launch } from './launch.ts';
import { showLive } from './live.ts';
import { type NativeOptions, planNative, preloadVariables, whyNoNative } from './native/library.ts';
import { type NativeLooker, startNativeLooker } from './native/looker.ts';
import { whyNotInItself, whyNotPreloadable } from './native/program.ts';
import { chooseOutput, type OutputOptions } from './output.ts';
import { type PackOptions, pack, sayWhatIsKept } from './pack.ts';
import { commandLine, describeProcess, pidsByEnvironment, programOf } from './proc.ts';
import { startProcSampler } from './proc-sampler.ts';
import { say, TOOL } from './say.ts';

export interface RunOptions extends OutputOptions, PackOptions {
  readonly command: readonly string[];
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
  const [program] = options.command;
  checkProgram(program);
  const output = await chooseOutput(options, programOf(options.command));
  const ofItself = whyNotInItself(program);
  const native = planNative(options.native, { ofAll: whyNotPreloadable(program), ofItself });
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
    diagnosticsOff: diagnosticsOff(target.pid) ?? diagnosticsOffHere(),
  });
  sampler.add(root);
  void folder.save();
  const { code, words } = await target.ended;
  root.exit = words;
  // Never without a handler between the two: a signal then would end us without a word.
  const restoreSignals = sayWhatIsKept(folder);
  target.restoreSignals();

  sampler.sampleAll();
  const goOn = folder.manifest.processes.filter((one) => one !== root && one.endTime === undefined);
  await runtimes.stop();
  // The program's exit code counts: what fails from here on costs a part of the trace at most.
  await looker
    ?.finish()
    .catch((error) => folder.warn(`native memory was not gathered to its end: ${messageOf(error)}`));
  sayWhoGoesOn(folder, root, goOn, pidsByEnvironment(port.launchValue));
  runtimes.rootEnded(words);
  runtimes.close();
  port.release();
  sampler.close();
  if (ofItself !== undefined && root.native.length === 0 && native !== undefined) {
    folder.manifest.blindSpots.push({ process: root.id, ...noNative(ofItself) });
  }
  const problem = whatIsMissing(runtimes.count, looker, ofItself);
  if (problem !== undefined) folder.warn(problem);
  await folder.finish();
  // The program's exit code counts, whatever becomes of the trace; its folder stays when it cannot be packed.
  const trace = await pack(folder, output, options, live).catch((error) => {
    say(messageOf(error));
    return folder.path;
  });
  restoreSignals();
  if (problem !== undefined) say(problem);
  return { code, trace };

  async function start() {
    // First, so that the guardian starts while we do the rest.
    const port = await openGuardedPort(process.env.DOTNET_DiagnosticPorts);
    begun.push(port.release, () => port.server.close());
    const folder = await createRecordingFolder(output, { tool: TOOL, mode: 'run', command: [...options.command] });
    begun.push(folder.remove);
    if (native === undefined) {
      const why = whyNoNative() ?? whyNotPreloadable(options.command[0]);
      const isOff = options.native.mode === 'off' || why === undefined;
      folder.manifest.blindSpots.push(noNative(isOff ? 'native memory was not recorded: --native off' : why));
    }
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
    const target = await launch(options.command, {
      DOTNET_DiagnosticPorts: port.launchValue,
      ...(native && looker && preloadVariables(native, looker.path)),
    });
    return { port, folder, sampler, looker, live, runtimes, target };
  }
}

/**
 * The recording ends with the program that was started, not with those that it leaves behind: `known` when it ended, and of
 * all that came from it those that run now. Of a daemon nobody knows then, for its parent ends at once.
 */
function sayWhoGoesOn(
  folder: RecordingFolder,
  root: ManifestProcess,
  known: readonly ManifestProcess[],
  running: readonly number[],
): void {
  const daemons = running
    .filter((pid) => pid !== root.pid && !known.some((one) => one.pid === pid))
    .map((pid) => ({ pid, name: programOf(describeProcess(pid)?.arguments ?? []) }));
  const staying = [...known, ...daemons];
  if (staying.length === 0) return;
  const names = listed(staying.map(({ name, pid }) => `${name} (${pid})`));
  folder.warn(`${names} went on when ${root.name} had ended: what came later is not in the recording`);
}

function noNative(text: string) {
  return { kinds: [...NATIVE_KINDS], effect: 'absent' as const, text };
}

/** A sentence when nothing was recorded, or only one of the two things that were to be. */
function whatIsMissing(
  runtimes: number,
  looker: NativeLooker | undefined,
  ofItself: string | undefined,
): string | undefined {
  if (looker === undefined) {
    return runtimes > 0
      ? undefined
      : 'no .NET runtime connected: the program is not .NET, starts it without its environment, or has DOTNET_EnableDiagnostics=0';
  }
  if (looker.count > 0) return undefined;
  const why =
    ofItself ?? 'no native memory was recorded: the program allocates none, or starts without its environment';
  return runtimes > 0 ? why : `${why}; no .NET runtime connected either`;
}
