import { messageOf, TraceError } from '../trace/errors.ts';
import { NATIVE_KINDS } from '../trace/kinds.ts';
import { createRecordingFolder, type RecordingFolder } from './folder.ts';
import { showLive } from './live.ts';
import type { NativeOptions } from './native/library.ts';
import { startNativeLooker } from './native/looker.ts';
import { chooseOutput, type OutputOptions } from './output.ts';
import { endKeeping, onEndingSignals, type PackOptions, pack, sayWhatIsKept } from './pack.ts';
import { startProcSampler } from './proc-sampler.ts';
import { findTarget, isPlainNative } from './processes.ts';
import { withTimeout } from './runtime-recorder.ts';
import { say, TOOL } from './say.ts';
import { type AttachedProcess, dotnetSubject, nativeSubject } from './subjects.ts';

export interface AttachOptions extends OutputOptions, PackOptions {
  /** A pid, or the name of a process. */
  readonly target: string;
  /** Milliseconds of recording, from when all of it has begun; undefined: to Ctrl-C or the end of the process. */
  readonly duration: number | undefined;
  /**
   * Native memory, from now on. Without a mode it is sampled where there is nothing else to record, and off in a .NET
   * process, since the agent then goes into it.
   */
  readonly native: NativeOptions;
}

/** How long a process may take to end after its runtime has, ms; a busy machine makes it wait. */
const LAST_MOMENT = 5_000;

/**
 * Records a running process until Ctrl-C, the duration or its end, and writes the trace. The process goes on.
 * @returns path of the trace.
 * @throws TraceError when it cannot be found or recorded, or the trace cannot be written.
 */
export async function attach(options: AttachOptions): Promise<string> {
  const pid = await findTarget(options.target);
  const subject = isPlainNative(pid) ? nativeSubject(pid, options.native) : await dotnetSubject(pid, options.native);
  const output = await chooseOutput(options, subject.name);

  const folder = await createRecordingFolder(output, { tool: TOOL, mode: 'attach', command: [...subject.command] });
  if (subject.native === undefined) {
    const text = 'native memory was not recorded: of a running .NET process that takes --native sampled or exact';
    folder.manifest.blindSpots.push({ kinds: [...NATIVE_KINDS], effect: 'absent', text });
  }
  const sampler = startProcSampler(folder);
  const looker = subject.native && (await startNativeLooker(folder, sampler));
  const live = await showLive(folder, sampler, looker, true);
  // From here on Ctrl-C means: stop and keep, even while the sessions are still being started.
  const stop = whenAskedToStop(folder);
  let attached: AttachedProcess;
  try {
    attached = await subject.record({ folder, sampler, looker, onChunk: live.onChunk });
  } catch (error) {
    await looker?.finish();
    sampler.close();
    live.close();
    await folder.finish();
    await folder.remove();
    if (error instanceof TraceError) throw error;
    throw new TraceError(`process ${pid} cannot be recorded: ${messageOf(error)}`);
  }

  const { process, sampled } = attached;
  const until = options.duration === undefined ? 'Ctrl-C stops' : `for ${options.duration / 1000} s`;
  say(`recording ${process.name} (${pid})${looker ? ' with its native memory' : ''}; ${until}`);
  await Promise.race([stop.asked, attached.over, sampled.ended, elapsed(options.duration)]);
  // Never without a handler between the two: a signal then would end us without a word.
  const restoreSignals = sayWhatIsKept(folder);
  stop.restoreSignals();
  // The streams end a moment before the process does: give it that moment.
  if (attached.endedByItself) await withTimeout(sampled.ended, LAST_MOMENT);
  await looker?.finish();
  await attached.stop();
  process.exit ??= process.endTime === undefined ? 'still running when the recording stopped' : 'ended';
  sampler.close();
  await folder.finish();
  const trace = await pack(folder, output, options, live);
  restoreSignals();
  return trace;
}

/** `asked` settles at Ctrl-C, SIGTERM, SIGHUP, or when the folder cannot be written; a second signal ends memsurge. */
function whenAskedToStop(folder: RecordingFolder): { asked: Promise<void>; restoreSignals(): void } {
  let restoreSignals = () => {};
  const asked = new Promise<void>((resolve) => {
    let again = false;
    restoreSignals = onEndingSignals((signal) => {
      if (again) endKeeping(folder, signal);
      again = true;
      resolve();
    });
    folder.onFailure((text) => {
      say(text);
      resolve();
    });
  });
  return { asked, restoreSignals };
}

/** Settles after `duration` ms, never when that is undefined; keeps nobody waiting for it at the end. */
function elapsed(duration: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (duration !== undefined) setTimeout(resolve, duration).unref();
  });
}
