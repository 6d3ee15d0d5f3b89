import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { codeInUse, readRecording } from '../read/recording.ts';
import { collectSymbols } from '../symbols/collect.ts';
import { fileImages } from '../symbols/images.ts';
import { openTraceFile, packFolder } from '../trace/file.ts';
import { writeManifest } from '../trace/manifest.ts';
import { SYMBOLS_PART } from '../trace/part-names.ts';
import { PRIVATE_FILE } from '../trace/private-file.ts';
import type { RecordingFolder } from './folder.ts';

/**
 * Turns the folder of a recording that stopped into the trace file `output`: gathers the symbols its stacks need while
 * the binaries are still here, then packs everything and removes the folder.
 * @returns the path of the trace: numbered where `output` has been taken meanwhile and is not to be replaced
 * @throws TraceError when that fails; the folder then stays, and opens like the file would.
 */
export async function finishRecording(
  { path: folder, inside }: RecordingFolder,
  output: string,
  options: { withSource: boolean; replace: boolean; onProgress?: (text: string) => void },
): Promise<string> {
  const onProgress = options.onProgress ?? (() => {});
  const file = await openTraceFile(folder);
  const { processes } = await readRecording(file, { onProgress: ({ text }) => onProgress(text) });
  const symbols = await collectSymbols(codeInUse(processes), fileImages(), {
    withSource: options.withSource,
    whileRecording: true,
    onImage: (path) => onProgress(`resolving symbols: ${basename(path)}`),
  });
  await writeFile(join(inside, SYMBOLS_PART), JSON.stringify(symbols), PRIVATE_FILE);
  await writeManifest(inside, { ...file.manifest, state: 'complete' });
  onProgress('writing the trace');
  return packFolder(folder, output, options.replace);
}
