import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from './manifest-schema.ts';
import { MANIFEST_PART } from './part-names.ts';

export type { Manifest, ManifestProcess } from './manifest-schema.ts';

/** Writes the manifest into a recording's folder, so that a reader sees the old or the new one, never half of it. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, MANIFEST_PART);
  const part = `${path}.new`;
  await writeFile(part, `${JSON.stringify(manifest, null, 1)}\n`);
  await rename(part, path);
}
