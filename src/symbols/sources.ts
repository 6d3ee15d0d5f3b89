import type { SymbolBundle } from './bundle.ts';
import { utf8 } from './bytes.ts';
import type { ImageSource } from './images.ts';
import type { Pdb } from './pdb.ts';

const MAX_SOURCE_BYTES = 16 * 1024 * 1024;

/** The source files that PDBs mention, as rows of the bundle's `files`. */
export interface SourceFiles {
  /** Row of a PDB's document; `pid` is a process that sees the file, if its text is wanted. */
  row(pdb: Pdb, document: number, pid: number): number;
  finish(): SymbolBundle['files'];
}

/** @param withText takes the text in: the one in the PDB if it was embedded, else from disk when it is the same still. */
export function createSourceFiles(images: ImageSource, withText: boolean): SourceFiles {
  const files: SymbolBundle['files'] = [];
  const rows = new Map<string, number>();
  return {
    row(pdb, document, pid) {
      const path = pdb.documentPath(document);
      let row = rows.get(path);
      if (row === undefined) {
        row = files.length;
        rows.set(path, row);
        const text = withText
          ? (pdb.embeddedSource(document) ?? readText(images, pdb, document, path, pid))
          : undefined;
        files.push(text === undefined ? { path } : { path, text });
      }
      return row;
    },
    finish: () => files,
  };
}

function readText(images: ImageSource, pdb: Pdb, document: number, path: string, pid: number): string | undefined {
  const file = images(path, pid);
  if (file === undefined) return undefined;
  try {
    if (file.size > MAX_SOURCE_BYTES) return undefined;
    const bytes = file.read(0, file.size);
    // Lines of a file that was edited since the build would be the wrong ones.
    return pdb.isDocument(document, bytes) ? utf8(bytes) : undefined;
  } finally {
    file.close();
  }
}
