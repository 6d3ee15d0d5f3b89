import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf, TraceError } from '../trace/errors.ts';

/**
 * Writes a text file so that nobody sees half of it: beside it first, then under its name. An earlier file is replaced
 * only if it begins with `beginning` as this one does, so that a wrong name costs no trace. Pipes and devices are written
 * to as they are.
 * @throws TraceError when it cannot be written, or something else has that name.
 */
export async function replaceFile(path: string, text: string, beginning: string): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory()) throw new TraceError(`${path} is a folder; give the name of a file`);
  try {
    if (existing !== undefined && !existing.isFile()) {
      await writeFile(path, text);
      return;
    }
    if (existing !== undefined && existing.size > 0 && !(await beginsWith(path, beginning))) {
      throw new TraceError(`${path} exists and is no HTML page; choose another name`);
    }
    // A link stays one: the file it leads to is replaced.
    await writeWhole(existing === undefined ? path : await realpath(path), text);
  } catch (error) {
    if (error instanceof TraceError) throw error;
    throw new TraceError(`cannot write ${path}: ${reasonOf(error)}`);
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    await writeFile(part, text, { flag: 'wx' });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function beginsWith(path: string, beginning: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Buffer.byteLength(beginning)), 0, undefined, 0);
    return buffer.toString('utf8', 0, bytesRead) === beginning;
  } finally {
    await file.close();
  }
}
