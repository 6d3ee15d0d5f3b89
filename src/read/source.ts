import { close, read } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';
import { hasChecksum } from '../trace/checksum.ts';
import { messageOf } from '../trace/errors.ts';
import { listed } from '../trace/listed.ts';
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
 * The text of the function's file: from the trace, else from the path the symbols state, else from below one of `folders`,
 * which the user named, where the longest tail of that path that exists is the file. A trace can name any file, so that one
 * on the disk is shown only when it is the one that was compiled or recorded, by its checksum, or lies below one of `folders`.
 */
export async function findSource(trace: Trace, wanted: SourceWanted, folders: readonly string[] = []): Promise<Source> {
  const { path } = wanted;
  if (path === '') {
    const reason = `no source file is known for ${wanted.function}: its module had no symbols (PDB) when it was recorded, or none of this code`;
    return { lines: undefined, warnings: [reason] };
  }
  const row = trace.files.path.indexOf(path);
  const text = trace.files.text[row];
  const found =
    row < 0
      ? { problem: notFound(path, 'the trace does not name it', folders) }
      : text === undefined
        ? await onDisk(path, trace.files.checksum[row], folders)
        : { path, text };
  if ('problem' in found) return { lines: undefined, warnings: [found.problem] };
  const lines = found.text.split(/\r?\n/);
  const last = Math.max(wanted.lastLine, ...wanted.rows.filter((one) => one.file === path).map((one) => one.line ?? 0));
  const changed = `${found.path} has changed since it was built: it ends before line ${last}`;
  return { lines, warnings: last > lines.length ? [changed] : [] };
}

type Found = { readonly path: string; readonly text: string };

/** What was compiled, wherever it is found, before what only lies where the user said; else why there is neither. */
async function onDisk(
  path: string,
  checksum: string | undefined,
  folders: readonly string[],
): Promise<Found | { readonly problem: string }> {
  const roots = await realFolders(folders);
  let problem = '';
  let trusted: Found | undefined;
  for (const [candidate, root] of [[path, undefined] as const, ...moved(path, roots)]) {
    try {
      const real = await realpath(candidate);
      if (root !== undefined && !isBelow(real, root)) continue;
      const { bytes, isSecret } = await readSource(candidate);
      const found = { path: candidate, text: bytes.toString('utf8') };
      if (checksum !== undefined && hasChecksum(bytes, checksum)) return found;
      // Who names the folder of the stated path asks for that file; a tail of it can lead to one that nobody meant.
      if (root === undefined) problem = notShown(path, checksum, folders);
      else if (isSecret) continue;
      if (roots.some((one) => isBelow(real, one))) trusted ??= found;
    } catch (error) {
      if (root === undefined) problem = notFound(path, messageOf(error), folders);
    }
  }
  return trusted ?? { problem };
}

function notFound(path: string, reason: string, folders: readonly string[]): string {
  const below = folders.length > 0 ? ` and for the end of that path below ${listed(folders)}` : '';
  return `source not found: looked in the trace and at ${path} (${reason})${below}; record with --with-source to keep it`;
}

function notShown(path: string, checksum: string | undefined, folders: readonly string[]): string {
  const why =
    checksum === undefined
      ? 'is not shown: the trace has no checksum of it'
      : 'has changed since it was built, so it is not shown';
  if (folders.length === 0) return `${path} ${why}; to see it all the same, name its folder with --source-root`;
  return `${path} ${why}, and nothing at the end of that path lies below ${listed(folders)}`;
}

/** More is no path of a source, and each part is a look at the disk. */
const MAX_TAILS = 64;

/** Where a file could be that was moved below one of `roots`, with that root: longest tail of its path first. */
function moved(path: string, roots: readonly string[]): [candidate: string, root: string][] {
  const parts = path.split(/[/\\]/);
  const tail = parts.slice(parts.lastIndexOf('..') + 1).filter((part) => part !== '' && part !== '.');
  const tails = tail.slice(-MAX_TAILS).map((_, at, kept) => kept.slice(at).join(sep));
  return roots.flatMap((root) => tails.map((one): [string, string] => [join(root, one), root]));
}

/** Links are followed first: one that leads out of a folder is not below it. */
const isBelow = (real: string, root: string): boolean => real.startsWith(root.endsWith(sep) ? root : root + sep);

async function realFolders(folders: readonly string[]): Promise<string[]> {
  const roots = await Promise.all(folders.map((folder) => realpath(folder).catch(() => undefined)));
  return roots.filter((root) => root !== undefined);
}

const readBytes = promisify(read);

async function readSource(path: string): Promise<{ bytes: Buffer; isSecret: boolean }> {
  const { descriptor, size, isSecret } = openRegular(path);
  try {
    if (size > MAX_SOURCE_BYTES) throw new Error('larger than 16 MiB');
    const { bytesRead, buffer } = await readBytes(descriptor, Buffer.alloc(size), 0, size, 0);
    return { bytes: buffer.subarray(0, bytesRead), isSecret };
  } finally {
    close(descriptor);
  }
}
