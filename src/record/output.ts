import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TraceError } from '../trace/errors.ts';

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
  try {
    // Loaded only here: the zip reader would make every start slower.
    const { openTraceFile } = await import('../trace/file.ts');
    await (await openTraceFile(output)).close();
  } catch {
    throw new TraceError(`${output} exists and is not a memsurge trace; choose another name with -o`);
  }
  return output;
}

function timestamp(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}
