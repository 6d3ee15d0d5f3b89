import type { SymbolBundle } from './bundle.ts';
import { utf8 } from './bytes.ts';
import type { ImageSource } from './images.ts';
import type { Pdb } from './pdb.ts';

const MAX_SOURCE_BYTES = 16 * 1024 * 1024;

/** The source files that PDBs mention, as rows of the bundle's `files`. */
export interface SourceFiles {
  /** Row of a PDB's document; `pid` is a process that sees the file, if its text is wanted. */
  row(pdb: Pdb, document: number, pid: number): number;
  /** Row of a file by its path, as DWARF states it; its text is taken only where `isUserCode`. */
  path(path: string, pid: number, isUserCode: boolean): number;
  finish(): SymbolBundle['files'];
}

/** @param withText takes the text in: the one in the PDB if it was embedded, else from disk when it is the same still. */
export function createSourceFiles(images: ImageSource, withText: boolean): SourceFiles {
  const files: SymbolBundle['files'] = [];
  const rows = new Map<string, number>();
  const rowOf = (path: string, textOf: () => string | undefined): number => {
    let row = rows.get(path);
    if (row === undefined) {
      row = files.length;
      rows.set(path, row);
      const text = withText ? textOf() : undefined;
      files.push(text === undefined ? { path } : { path, text });
    }
    return row;
  };
  return {
    row(pdb, document, pid) {
      const path = pdb.documentPath(document);
      // Lines of a file that was edited since the build would be the wrong ones.
      const isSame = (bytes: Uint8Array) => pdb.isDocument(document, bytes);
      return rowOf(path, () => pdb.embeddedSource(document) ?? readText(images, path, pid, isSame));
    },
    path: (path, pid, isUserCode) =>
      rowOf(path, () => (isUserCode ? readText(images, path, pid, () => true) : undefined)),
    finish: () => files,
  };
}

function readText(
  images: ImageSource,
  path: string,
  pid: number,
  isSame: (bytes: Uint8Array) => boolean,
): string | undefined {
  const file = images(path, pid);
  if (file === undefined) return undefined;
  try {
    if (file.size > MAX_SOURCE_BYTES) return undefined;
    const bytes = file.read(0, file.size);
    return isSame(bytes) ? utf8(bytes) : undefined;
  } finally {
    file.close();
  }
}
