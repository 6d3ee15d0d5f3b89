import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TraceError } from '../trace/errors.ts';
import { MANIFEST_PART, numbered } from '../trace/part-names.ts';

/** Where a trace goes. */
export interface OutputOptions {
  /** File to write; by default named after the program and the time. */
  readonly output: string | undefined;
  /** An earlier trace of that name is replaced. */
  readonly force: boolean;
}

/**
 * The trace file to write: as wanted, or `PROGRAM-yyyymmdd-hhmmss.memsurge` here, numbered where that is taken.
 * @throws TraceError when something has that name which may not be replaced.
 */
export async function chooseOutput({ output: wanted, force }: OutputOptions, program: string): Promise<string> {
  if (wanted === undefined) {
    const name = resolve(`${program.replace(/[^\w.-]/g, '_') || 'trace'}-${timestamp(new Date())}.memsurge`);
    for (let n = 1; ; n++) if (!existsSync(numbered(name, n))) return numbered(name, n);
  }
  const output = resolve(wanted);
  const existing = await stat(output).catch(() => undefined);
  if (existing === undefined) return output;
  if (existing.isDirectory()) {
    throw new TraceError(`${output} is a folder; choose a file name with -o`);
  }
  if (!existing.isFile() || !(await isTrace(output))) {
    throw new TraceError(`${output} exists and is not a memsurge trace; choose another name with -o`);
  }
  if (!force) throw new TraceError(`${output} exists; choose another name with -o, or replace it with --force`);
  return output;
}

async function isTrace(path: string): Promise<boolean> {
  if (await beginsLikeTrace(path)) return true;
  // Loaded only here: the zip reader would make every start slower.
  const { openTraceFile } = await import('../trace/file.ts');
  return openTraceFile(path).then(
    (file) => file.close().then(() => true),
    () => false,
  );
}

/**
 * A local file header of a zip (PKWARE APPNOTE 4.3.7): "PK\x03\x04", at 8 the method, at 26 the lengths of name and extra field,
 * at 30 both of them, then the content, here as packing puts it: the manifest first and not compressed.
 */
const ZIP = { signature: 'PK\x03\x04', method: 8, nameLength: 26, extraLength: 28, name: 30, stored: 0 };
const MANIFEST_START = /^\{\s*"format": "memsurge"/;

/** Whether the file begins as a trace does: told without the zip reader. */
async function beginsLikeTrace(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  try {
    const head = Buffer.alloc(256);
    await file.read(head, 0, head.length, 0);
    const nameEnd = ZIP.name + head.readUInt16LE(ZIP.nameLength);
    const content = nameEnd + head.readUInt16LE(ZIP.extraLength);
    return (
      head.toString('latin1', 0, 4) === ZIP.signature &&
      head.readUInt16LE(ZIP.method) === ZIP.stored &&
      head.toString('latin1', ZIP.name, nameEnd) === MANIFEST_PART &&
      MANIFEST_START.test(head.toString('latin1', content))
    );
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

function timestamp(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
