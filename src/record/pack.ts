import { existsSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { reasonOf, TraceError } from '../trace/errors.ts';
import { partialOf } from '../trace/part-names.ts';
import { shellWord } from '../trace/shell-word.ts';
import type { RecordingFolder } from './folder.ts';
import { ignoresHangup } from './given.ts';
import type { LiveDisplay } from './live.ts';
import { say } from './say.ts';

export interface PackOptions {
  readonly withSource: boolean;
  /** What has the output's name is replaced. */
  readonly force: boolean;
}

/**
 * Gathers symbols and writes the trace; loaded only now, so that recording starts sooner. Returns its path.
 * @throws TraceError that says where the recording is when it cannot be written.
 */
export async function pack(
  folder: RecordingFolder,
  output: string,
  options: PackOptions,
  live: LiveDisplay,
): Promise<string> {
  let written: string;
  try {
    const { finishRecording } = await import('./finish.ts');
    const { withSource, force: replace } = options;
    written = await finishRecording(folder, output, { withSource, replace, onProgress: live.note });
  } catch (error) {
    if (!existsSync(folder.path))
      throw new TraceError(`${folder.path} was removed while it was recorded into: nothing is left of it`);
    if (error instanceof TraceError) throw error;
    throw new TraceError(`the trace was not written (${reasonOf(error)}): ${kept(folder.path)}`);
  } finally {
    live.close();
  }
  const word = shellWord(written);
  say(`wrote ${written}; next: memsurge report ${word}, or in the browser: memsurge view ${word}`);
  return written;
}

const kept = (folder: string) => `what was recorded is in ${folder}, which opens like a trace file`;

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** Calls `handle` when somebody wants us to end, until what it returns is called. */
export function onEndingSignals(handle: (signal: Signal) => void): () => void {
  const signals: readonly Signal[] = ['SIGINT', 'SIGTERM', ...(ignoresHangup ? [] : (['SIGHUP'] as const))];
  for (const signal of signals) process.on(signal, handle);
  return () => {
    for (const signal of signals) process.off(signal, handle);
  };
}

/** From now on Ctrl-C and the like end memsurge, with a sentence: they cost nothing but the packing. */
export const sayWhatIsKept = (folder: RecordingFolder) => onEndingSignals((signal) => endKeeping(folder, signal));

/** Ends memsurge as `signal` would, with a sentence. */
export function endKeeping(folder: RecordingFolder, signal: Signal): never {
  try {
    folder.saveNow();
    rmSync(partialOf(folder.path), { force: true });
  } catch {
    // What was saved before stays.
  }
  say(`ended by ${signal} before the trace was packed: ${kept(folder.path)}`);
  process.exit(128 + constants.signals[signal]);
}
