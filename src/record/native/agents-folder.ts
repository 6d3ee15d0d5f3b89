import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readlink, rm, stat, statfs, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AGENTS_FOLDER } from '../../trace/part-names.ts';
import type { RecordingFolder } from '../folder.ts';

const SHARED_MEMORY = '/dev/shm';
const PREFIX = 'memsurge-';
/** In such a folder: leads back to the recording it belongs to. */
const BACK = 'recording';
const KEPT_MS = 24 * 3_600_000;
/** Below this the memory of a container is too small to hold agents' files beside what else uses it. */
const LEAST_FREE_BYTES = 512 * 1024 * 1024;

/**
 * Makes the folder that agents write into and gives its path: in memory if there is room, since the first touch of a file
 * on a disk costs each program 0.2 s (ext4), with a link to it in the recording; else in the recording itself.
 */
export async function makeAgentsFolder({ path: recording, inside }: RecordingFolder): Promise<string> {
  const link = join(inside, AGENTS_FOLDER);
  try {
    const { bavail, bsize } = await statfs(SHARED_MEMORY);
    if (bavail * bsize >= LEAST_FREE_BYTES) {
      const path = await mkdtemp(join(SHARED_MEMORY, PREFIX));
      await symlink(resolve(recording), join(path, BACK));
      await symlink(path, link);
      // Not awaited: the program's start need not wait for it.
      void removeOrphans().catch(() => {});
      return path;
    }
  } catch {
    // No shared memory, or none for us.
  }
  await mkdir(link, { recursive: true });
  return join(resolve(recording), AGENTS_FOLDER);
}

/**
 * A recorder that was killed leaves its folder for its recording; when that was removed, nobody needs it. A recording that
 * we cannot see may lie in another mount namespace, so that only what is old goes.
 */
async function removeOrphans(): Promise<void> {
  for (const name of await readdir(SHARED_MEMORY)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(SHARED_MEMORY, name);
    // What is another's could change under our hands into something else that we may remove.
    const { uid } = await lstat(path);
    if (uid !== process.geteuid?.()) continue;
    const recording = await readlink(join(path, BACK)).catch(() => undefined);
    if (recording === undefined || existsSync(recording)) continue;
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
