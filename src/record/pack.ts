import { existsSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf, TraceError } from '../trace/errors.ts';
import { partialOf } from '../trace/part-names.ts';
import { shellWord } from '../trace/shell-word.ts';
import type { RecordingFolder } from './folder.ts';
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
export async function pack(folder: string, output: string, options: PackOptions, live: LiveDisplay): Promise<string> {
  let written: string;
  try {
    const { finishRecording } = await import('./finish.ts');
    const { withSource, force: replace } = options;
    written = await finishRecording(folder, output, { withSource, replace, onProgress: live.note });
  } catch (error) {
    if (!existsSync(folder))
      throw new TraceError(`${folder} was removed while it was recorded into: nothing is left of it`);
    if (error instanceof TraceError) throw error;
    throw new TraceError(`the trace was not written (${messageOf(error)}): ${kept(folder)}`);
  } finally {
    live.close();
  }
  const word = shellWord(written);
  say(`wrote ${written}; next: memsurge report ${word}, or in the browser: memsurge view ${word}`);
  return written;
}

const kept = (folder: string) => `what was recorded is in ${folder}, which opens like a trace file`;

/** From now on Ctrl-C and the like end memsurge, with a sentence: they cost nothing but the packing. */
export function sayWhatIsKept(folder: RecordingFolder): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const end = (signal: (typeof signals)[number]) => {
    try {
      folder.saveNow();
      rmSync(partialOf(folder.path), { force: true });
    } catch {
      // What was saved before stays.
    }
    say(`ended by ${signal} before the trace was packed: ${kept(folder.path)}`);
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of signals) process.on(signal, end);
  return () => {
    for (const signal of signals) process.off(signal, end);
  };
}
