import type { LiveDisplay } from './live.ts';
import { say } from './say.ts';

/** Gathers symbols and writes the trace; loaded only now, so that recording starts sooner. */
export async function pack(folder: string, output: string, withSource: boolean, live: LiveDisplay): Promise<void> {
  try {
    const { finishRecording } = await import('./finish.ts');
    await finishRecording(folder, output, { withSource, onProgress: live.note });
  } finally {
    live.close();
  }
  say(`wrote ${output}; next: memsurge report ${output}, or in the browser: memsurge view ${output}`);
}
