import { constants, type FileHandle, open } from 'node:fs/promises';
import { messageOf } from '../trace/errors.ts';
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

/** The text of the function's file: from the trace, else from the path the symbols state, and from nowhere else. */
export async function findSource(trace: Trace, wanted: SourceWanted): Promise<Source> {
  const { path } = wanted;
  if (path === '') {
    const reason = `no source file is known for ${wanted.function}: its module had no symbols (PDB) when it was recorded`;
    return { lines: undefined, warnings: [reason] };
  }
  const row = trace.files.path.indexOf(path);
  let text = trace.files.text[row];
  try {
    if (row < 0) throw new Error('the trace does not name it');
    text ??= await readText(path);
  } catch (error) {
    const looked = `looked in the trace and at ${path} (${messageOf(error)})`;
    return { lines: undefined, warnings: [`source not found: ${looked}; record with --with-source to keep it`] };
  }
  const lines = text.split(/\r?\n/);
  const last = Math.max(wanted.lastLine, ...wanted.rows.filter((one) => one.file === path).map((one) => one.line ?? 0));
  const changed = `${path} has changed since it was built: it ends before line ${last}`;
  return { lines, warnings: last > lines.length ? [changed] : [] };
}

async function readText(path: string): Promise<string> {
  // A pipe at that path would otherwise wait for its writer.
  const file: FileHandle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const entry = await file.stat();
    if (!entry.isFile()) throw new Error('not a regular file');
    if (entry.size > MAX_SOURCE_BYTES) throw new Error('larger than 16 MiB');
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
