import { closeSync, readSync } from 'node:fs';
import { openRegular } from '../trace/regular-file.ts';

/** A file read in pieces, so that a large image is never held whole. */
export interface ImageFile {
  /** Bytes. */
  readonly size: number;
  /** Read with root's rights, and closed to others: what it holds goes into no trace. */
  readonly isSecret?: boolean;
  /** The bytes from `offset`; fewer than `length` only at the end of the file. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

/** Finds a file by the path that process `pid` knows it by; undefined when it is not there or not readable. */
export type ImageSource = (path: string, pid: number) => ImageFile | undefined;

/**
 * Files of this machine. The process's own root comes first, because a process in a container means another file by the
 * same path; for a process that ended the path itself is taken.
 */
export function fileImages(): ImageSource {
  return (path, pid) => {
    if (!path.startsWith('/')) return undefined;
    return openFile(`/proc/${pid}/root${path}`) ?? openFile(path);
  };
}

function openFile(path: string): ImageFile | undefined {
  let file: ReturnType<typeof openRegular>;
  try {
    file = openRegular(path);
  } catch {
    return undefined;
  }
  const { descriptor, size, isSecret } = file;
  return {
    size,
    isSecret,
    read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const buffer = new Uint8Array(wanted);
      const read = wanted === 0 ? 0 : readSync(descriptor, buffer, 0, wanted, offset);
      return buffer.subarray(0, read);
    },
    close: () => closeSync(descriptor),
  };
}
