import { messageOf, TraceError } from '../trace/errors.ts';
import { endpointConnect, findEndpoint } from './diagnostics/endpoint.ts';
import { createRecordingFolder, type RecordingFolder } from './folder.ts';
import { showLive } from './live.ts';
import { attachToDotnet } from './native/attach/dotnet.ts';
import { type NativeOptions, planNative } from './native/library.ts';
import { startNativeLooker } from './native/looker.ts';
import { chooseOutput } from './output.ts';
import { pack } from './pack.ts';
import { commandLine, describeProcess, programOf } from './proc.ts';
import { startProcSampler } from './proc-sampler.ts';
import { askProcess, findTarget } from './processes.ts';
import { type RecordedRuntime, recordRuntime, withTimeout } from './runtime-recorder.ts';
import { say, TOOL } from './say.ts';

export interface AttachOptions {
  /** A pid, or the name of a .NET process. */
  readonly target: string;
  /** Milliseconds after which recording stops; undefined: at Ctrl-C or when the process ends. */
  readonly duration: number | undefined;
  readonly output: string | undefined;
  readonly withSource: boolean;
  /** Native memory, from now on; off unless a mode was asked for, since the agent then goes into the running process. */
  readonly native: NativeOptions;
}

/** How long the process may take to deliver the rest of its events, ms. */
const STOP_TIMEOUT = 30_000;
/** How long a process may take to end after its runtime has, ms; a busy machine makes it wait. */
const LAST_MOMENT = 5_000;

/**
 * Records a running .NET process until Ctrl-C, the duration or its end, and writes the trace. The process goes on.
 * @returns path of the trace.
 * @throws TraceError when it cannot be found or recorded, or the trace cannot be written.
 */
export async function attach(options: AttachOptions): Promise<string> {
  const pid = await findTarget(options.target);
  const endpoint = await findEndpoint(pid);
  const info = await askProcess(pid, endpoint);
  const facts = describeProcess(pid);
  const args = facts?.arguments ?? [info.commandLine];
  const native = options.native.mode === undefined ? undefined : planNative(options.native);
  const output = await chooseOutput(options.output, info.entryAssembly || programOf(args));

  const folder = await createRecordingFolder(output, { tool: TOOL, mode: 'attach', command: [...args] });
  const sampler = startProcSampler(folder);
  const looker = native && (await startNativeLooker(folder, sampler));
  const live = await showLive(folder, sampler, looker, true);
  // From here on Ctrl-C means: stop and keep, even while the sessions are still being started.
  const stopAsked = whenAskedToStop(options.duration, folder);
  let runtime: RecordedRuntime;
  try {
    runtime = await recordRuntime(
      folder,
      sampler,
      endpointConnect(endpoint),
      { pid, parentPid: facts?.parentPid ?? 0, commandLine: commandLine(args), info },
      { compiledBefore: true, onChunk: live.onChunk },
    );
    if (native && looker) looker.alsoIn(await attachToDotnet(pid, endpointConnect(endpoint), native, looker.path));
  } catch (error) {
    await looker?.finish();
    sampler.close();
    live.close();
    await folder.finish();
    await folder.remove();
    throw new TraceError(`process ${pid} cannot be recorded: ${messageOf(error)}`);
  }

  const until = options.duration === undefined ? 'Ctrl-C stops' : `for ${options.duration / 1000} s`;
  say(`recording ${runtime.process.name} (${pid})${looker ? ' with its native memory' : ''}; ${until}`);
  await Promise.race([stopAsked, runtime.streamsEnded, runtime.sampled.ended]);
  await looker?.finish();
  // The streams end a moment before the process does: give it that moment.
  if (runtime.endedByItself) await withTimeout(runtime.sampled.ended, LAST_MOMENT);
  await runtime.stop(STOP_TIMEOUT);
  const { process: target } = runtime;
  target.exit ??= target.endTime === undefined ? 'still running when the recording stopped' : 'ended';
  sampler.close();
  await folder.finish();
  await pack(folder.path, output, options.withSource, live);
  return output;
}

/** Settles at Ctrl-C, SIGTERM, SIGHUP, after `duration` ms, or when the folder cannot be written. */
function whenAskedToStop(duration: number | undefined, folder: RecordingFolder): Promise<void> {
  return new Promise((resolve) => {
    // Once: a second Ctrl-C, while the trace is being written, ends memsurge and leaves the folder.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    if (duration !== undefined) setTimeout(resolve, duration).unref();
    folder.onFailure((text) => {
      say(text);
      resolve();
    });
  });
}
