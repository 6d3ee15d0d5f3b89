import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TraceError } from '../trace/errors.ts';
import { MANIFEST_PART } from '../trace/part-names.ts';

/**
 * The trace file to write: `wanted`, or `PROGRAM-yyyymmdd-hhmmss.memsurge` here. An earlier trace is replaced.
 * @throws TraceError when something else has that name.
 */
export async function chooseOutput(wanted: string | undefined, program: string): Promise<string> {
  const output = resolve(wanted ?? `${program.replace(/[^\w.-]/g, '_') || 'trace'}-${timestamp(new Date())}.memsurge`);
  const existing = await stat(output).catch(() => undefined);
  if (existing === undefined) return output;
  if (existing.isDirectory()) {
    throw new TraceError(`${output} is a folder; choose a file name with -o`);
  }
  if (await beginsLikeTrace(output)) return output;
  try {
    // Loaded only here: the zip reader would make every start slower.
    const { openTraceFile } = await import('../trace/file.ts');
    await (await openTraceFile(output)).close();
  } catch {
    throw new TraceError(`${output} exists and is not a memsurge trace; choose another name with -o`);
  }
  return output;
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
