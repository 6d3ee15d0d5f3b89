import { close, read } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { promisify } from 'node:util';
import { hasChecksum } from '../trace/checksum.ts';
import { messageOf } from '../trace/errors.ts';
import { openRegular } from '../trace/regular-file.ts';
import type { Trace } from '../trace/tables.ts';

/** A larger file is no source that a person reads. */
const MAX_SOURCE_BYTES = 16 << 20;

/** The source file of a function, as the answer of the question `code` names it. */
export interface SourceWanted {
  readonly function: string;
  /** Path as the symbols state it; empty when not known. */
  readonly path: string;
  readonly lastLine: number;
  readonly rows: readonly { readonly file?: string; readonly line?: number }[];
}

export interface Source {
  /** Undefined when the text was not found. */
  readonly lines: readonly string[] | undefined;
  /** Where it was looked for in vain, or why it may not be the text that was built. */
  readonly warnings: readonly string[];
}

/**
 * The text of the function's file: from the trace, else from the path the symbols state, and from nowhere else. A trace can
 * name any file, so that one on the disk is shown only when it is the one that was compiled or recorded, by its checksum, or
 * lies below one of `folders`, which the user named.
 */
export async function findSource(trace: Trace, wanted: SourceWanted, folders: readonly string[] = []): Promise<Source> {
  const { path } = wanted;
  if (path === '') {
    const reason = `no source file is known for ${wanted.function}: its module had no symbols (PDB) when it was recorded`;
    return { lines: undefined, warnings: [reason] };
  }
  const row = trace.files.path.indexOf(path);
  let text = trace.files.text[row];
  try {
    if (row < 0) throw new Error('the trace does not name it');
    if (text === undefined) {
      const bytes = await readSource(path);
      const problem = (await isBelow(path, folders)) ? undefined : whyNotShown(path, bytes, trace.files.checksum[row]);
      if (problem !== undefined) return { lines: undefined, warnings: [problem] };
      text = bytes.toString('utf8');
    }
  } catch (error) {
    const looked = `looked in the trace and at ${path} (${messageOf(error)})`;
    return { lines: undefined, warnings: [`source not found: ${looked}; record with --with-source to keep it`] };
  }
  const lines = text.split(/\r?\n/);
  const last = Math.max(wanted.lastLine, ...wanted.rows.filter((one) => one.file === path).map((one) => one.line ?? 0));
  const changed = `${path} has changed since it was built: it ends before line ${last}`;
  return { lines, warnings: last > lines.length ? [changed] : [] };
}

function whyNotShown(path: string, bytes: Uint8Array, checksum: string | undefined): string | undefined {
  const folder = 'to see it all the same, name its folder with --source-root';
  if (checksum === undefined) return `${path} is not shown: the trace has no checksum of it; ${folder}`;
  return hasChecksum(bytes, checksum)
    ? undefined
    : `${path} has changed since it was built, so it is not shown; ${folder}`;
}

/** Links are followed first: one that leads out of a folder is not below it. */
async function isBelow(path: string, folders: readonly string[]): Promise<boolean> {
  const real = await realpath(path);
  const roots = await Promise.all(folders.map((folder) => realpath(folder).catch(() => undefined)));
  return roots.some((root) => root !== undefined && real.startsWith(root.endsWith(sep) ? root : root + sep));
}

const readBytes = promisify(read);

async function readSource(path: string): Promise<Buffer> {
  const { descriptor, size } = openRegular(path);
  try {
    if (size > MAX_SOURCE_BYTES) throw new Error('larger than 16 MiB');
    const { bytesRead, buffer } = await readBytes(descriptor, Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    close(descriptor);
  }
}
