import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Opens the file that an agent made, for reading and writing. The folder may belong to the user of the program, and what
 * lies there be anything: a link to a file of ours, a pipe that nobody writes.
 * @throws Error when it is not a file of its own that belongs to the folder's owner or to us, or to anybody where all may write.
 */
export function openAgentFile(path: string): number {
  const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stats = fstatSync(file);
  const folder = statSync(dirname(path));
  const isAllowed = [process.geteuid?.(), folder.uid].includes(stats.uid) || (folder.mode & constants.S_IWOTH) !== 0;
  if (stats.isFile() && stats.nlink === 1 && isAllowed) return file;
  closeSync(file);
  throw new Error('it is not a file that an agent made');
}
