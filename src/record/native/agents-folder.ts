import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises';
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
/** Each takes away what is its own alone. */
const OTHERS_MAY_WRITE = 0o1733;

/** Where agents make their files. */
export interface AgentsFolder {
  readonly path: string;
  /** Also while programs may be making files; what cannot be removed stays, for the next recording to clean up. */
  remove(): Promise<void>;
}

/**
 * Makes the folder that agents write into: in memory if there is room, since the first touch of a file on a disk costs each
 * program 0.2 s (ext4), with a link to it in the recording; else in the recording itself.
 */
export async function makeAgentsFolder({ path: recording, inside }: RecordingFolder): Promise<AgentsFolder> {
  const link = join(inside, AGENTS_FOLDER);
  try {
    const { bavail, bsize } = await statfs(SHARED_MEMORY);
    if (bavail * bsize >= LEAST_FREE_BYTES) {
      const own = await mkdtemp(join(SHARED_MEMORY, PREFIX));
      await symlink(resolve(recording), join(own, BACK));
      const path = process.geteuid?.() === 0 ? await makeSharedFolder(own) : own;
      await symlink(path, link);
      // Not awaited: the program's start need not wait for it.
      void removeOrphans().catch(() => {});
      return {
        path,
        async remove() {
          await removeFolder(path);
          if (own !== path) await removeFolder(own);
          await rm(link, { force: true });
        },
      };
    }
  } catch {
    // No shared memory, or none for us.
  }
  await mkdir(link, { recursive: true });
  return { path: join(resolve(recording), AGENTS_FOLDER), remove: () => removeFolder(link) };
}

/**
 * What root starts may go on as another user (gosu, runuser, a server's workers), whose agent is to make its file too: so
 * everybody may make one who knows the folder's name, and nobody can list it. {@link openAgentFile} trusts none of them.
 */
async function makeSharedFolder(own: string): Promise<string> {
  const path = join(own, randomBytes(8).toString('hex'));
  await mkdir(path);
  await chmod(path, OTHERS_MAY_WRITE);
  await chmod(own, 0o711);
  return path;
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
    if (Date.now() - mtimeMs <= KEPT_MS) continue;
    const inner = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    for (const { name: folder } of inner) await removeFolder(join(path, folder));
    await removeFolder(path);
  }
}

/**
 * Under another name programs find it no more, and then nobody else can change what is in it. Agents make files only; a
 * folder in it is another's, who could put a link in place of what is below while we go through it, and stays.
 */
async function removeFolder(path: string): Promise<void> {
  const gone = `${path}.gone`;
  try {
    await rename(path, gone);
    await chmod(gone, 0o700);
    for (const name of await readdir(gone)) await unlink(join(gone, name)).catch(() => {});
    await rmdir(gone);
  } catch {
    // It is not there, or not empty.
  }
}
