import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from './manifest-schema.ts';

export type { Manifest, ManifestProcess } from './manifest-schema.ts';

/** Version of the trace file. A reader refuses what is newer than itself; docs/architecture.md lists the parts. */
export const TRACE_FILE_VERSION = 1;

export const MANIFEST_PART = 'manifest.json';
export const SYMBOLS_PART = 'symbols.json';

/** Parts of native memory, and where the agents write while a recording is not finished. */
export const NATIVE_FOLDER = 'native';
export const AGENTS_FOLDER = 'agents';

/** Writes the manifest into a recording's folder, so that a reader sees the old or the new one, never half of it. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, MANIFEST_PART);
  const part = `${path}.new`;
  await writeFile(part, `${JSON.stringify(manifest, null, 1)}\n`);
  await rename(part, path);
}
