import { closeSync, constants, fstatSync, openSync } from 'node:fs';

interface RegularFile {
  readonly descriptor: number;
  /** Bytes. */
  readonly size: number;
  /** We can read it because we are root; others cannot. */
  readonly isSecret: boolean;
}

/**
 * Opens a file to read it, and nothing but a file: a pipe would wait for its writer for ever, a device may do anything when
 * it is read. Every file of a trace, and every one that a trace names, is opened here; close the descriptor.
 * @throws Error as the system gives it, or when it is not a regular file
 */
export function openRegular(path: string): RegularFile {
  // A pipe is opened without waiting, and a terminal does not become ours.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const entry = fstatSync(descriptor);
  if (entry.isFile())
    return { descriptor, size: entry.size, isSecret: process.getuid?.() === 0 && !(entry.mode & 0o004) };
  closeSync(descriptor);
  throw new Error('it is not a regular file');
}
