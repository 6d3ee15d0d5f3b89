import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the repository, found from this file whether it runs from its source or compiled below `.build`. */
export const ROOT = folderWith('package.json', dirname(fileURLToPath(import.meta.url)));

function folderWith(file: string, folder: string): string {
  return existsSync(join(folder, file)) ? folder : folderWith(file, dirname(folder));
}
