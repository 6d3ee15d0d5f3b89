import { closeSync, constants, fstatSync, openSync } from 'node:fs';

/**
 * Opens a file to read it, and nothing but a file: a pipe would wait for its writer for ever, a device may do anything when
 * it is read. Every file of a trace, and every one that a trace names, is opened here; close the descriptor.
 * @throws Error as the system gives it, or when it is not a regular file
 */
export function openRegular(path: string): { readonly descriptor: number; readonly size: number } {
  // A pipe is opened without waiting, and a terminal does not become ours.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const entry = fstatSync(descriptor);
  if (entry.isFile()) return { descriptor, size: entry.size };
  closeSync(descriptor);
  throw new Error(entry.isDirectory() ? 'it is a folder' : 'it is not a regular file');
}
