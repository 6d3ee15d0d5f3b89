import { renameSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from './manifest-schema.ts';
import { MANIFEST_PART } from './part-names.ts';
import { PRIVATE_FILE } from './private-file.ts';

export type { Manifest, ManifestProcess } from './manifest-schema.ts';

/** Writes the manifest into a recording's folder, so that a reader sees the old or the new one, never half of it. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, MANIFEST_PART);
  await writeFile(`${path}.new`, textOf(manifest), PRIVATE_FILE);
  await rename(`${path}.new`, path);
}

/** The same at once, for one who is about to end. */
export function writeManifestNow(folder: string, manifest: Manifest): void {
  const path = join(folder, MANIFEST_PART);
  writeFileSync(`${path}.now`, textOf(manifest), PRIVATE_FILE);
  renameSync(`${path}.now`, path);
}

const textOf = (manifest: Manifest) => `${JSON.stringify(manifest, null, 1)}\n`;
