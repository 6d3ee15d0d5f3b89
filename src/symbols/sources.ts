import { checksumOf, hasChecksum } from '../trace/checksum.ts';
import type { SymbolBundle } from './bundle.ts';
import { utf8 } from './bytes.ts';
import type { ImageSource } from './images.ts';
import type { Pdb } from './pdb.ts';

const MAX_SOURCE_BYTES = 16 * 1024 * 1024;

/** The source files that PDBs and DWARF mention, as rows of the bundle's `files`. */
export interface SourceFiles {
  /** Row of a PDB's document; `pid` is a process that sees the file, if its text is wanted. */
  row(pdb: Pdb, document: number, pid: number): number;
  /** Row of a file as DWARF states it, with its MD5 or none; looked at only where `isUserCode`. */
  path(named: { readonly file: string; readonly checksum: string }, pid: number, isUserCode: boolean): number;
  finish(): SymbolBundle['files'];
}

/**
 * What is wanted of the files themselves: `withSource` takes their text in, the one in the PDB if it was embedded, else from
 * disk when it is the same still. `whileRecording` notes the checksum of those of which the symbols state none: what the file
 * is today. Never while a trace is only read: then what the file is today proves nothing.
 */
export interface SourceOptions {
  readonly withSource: boolean;
  readonly whileRecording: boolean;
}

export function createSourceFiles(images: ImageSource, { withSource, whileRecording }: SourceOptions): SourceFiles {
  const files: SymbolBundle['files'] = [];
  const rows = new Map<string, number>();
  const rowOf = (path: string, describe: () => { checksum: string; text?: string | undefined }): number => {
    let row = rows.get(path);
    if (row === undefined) {
      row = files.length;
      rows.set(path, row);
      const { checksum, text } = describe();
      files.push({ path, ...(checksum && { checksum }), ...(text !== undefined && { text }) });
    }
    return row;
  };
  return {
    row(pdb, document, pid) {
      const path = pdb.documentPath(document);
      return rowOf(path, () => {
        const stated = pdb.checksum(document);
        const embedded = withSource ? pdb.embeddedSource(document) : undefined;
        if (embedded !== undefined) return { checksum: stated, text: embedded };
        return describeFile(path, pid, stated);
      });
    },
    path: ({ file, checksum }, pid, isUserCode) =>
      rowOf(file, () => {
        const stated = checksum && `md5:${checksum}`;
        return isUserCode ? describeFile(file, pid, stated) : { checksum: stated };
      }),
    finish: () => files,
  };

  function describeFile(path: string, pid: number, stated: string): { checksum: string; text?: string } {
    if (!withSource && (stated !== '' || !whileRecording)) return { checksum: stated };
    const bytes = readSource(images, path, pid);
    // Lines of a file that was edited since the build would be the wrong ones.
    if (bytes === undefined || (stated !== '' && !hasChecksum(bytes, stated))) return { checksum: stated };
    return { checksum: stated || checksumOf(bytes), ...(withSource && { text: utf8(bytes) }) };
  }
}

/** A program may state any path, also of a file that it cannot read itself. */
function readSource(images: ImageSource, path: string, pid: number): Uint8Array | undefined {
  const file = images(path, pid);
  if (file === undefined) return undefined;
  try {
    return file.isSecret || file.size > MAX_SOURCE_BYTES ? undefined : file.read(0, file.size);
  } finally {
    file.close();
  }
}
