import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ProcessCapture } from '../../src/read/nettrace/capture.ts';
import { mergeCaptures, readNettrace } from '../../src/read/nettrace/index.ts';
import { usedAddresses } from '../../src/read/usage.ts';
import type { ProcessCode } from '../../src/symbols/collect.ts';

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL('./program', import.meta.url));

/** Builds the test program in a folder of its own with more arguments for dotnet; the path of its dll. */
export async function buildShapes(folder: string, verb: 'build' | 'publish', ...options: string[]): Promise<string> {
  const project = join(folder, 'project');
  await cp(SOURCE, project, { recursive: true });
  await run('dotnet', [verb, project, '-c', 'Release', '-o', join(folder, 'out'), '--nologo', '-v', 'q', ...options]);
  return join(folder, 'out', 'shapes.dll');
}

/** What a program said, line by line in cells, and what its own runtime recorded of it. */
export interface Recorded {
  readonly output: readonly (readonly string[])[];
  readonly capture: ProcessCapture;
  readonly code: ProcessCode;
}

/** GC, loader, JIT, precompiled code in the rundown, IL maps. */
const KEYWORDS = '0x20039';

/** Runs a program whose runtime writes a .nettrace by itself, without any recorder. */
export async function recordByRuntime(trace: string, command: string, ...args: string[]): Promise<Recorded> {
  const env = {
    ...process.env,
    DOTNET_EnableEventPipe: '1',
    DOTNET_EventPipeOutputPath: trace,
    DOTNET_EventPipeConfig: `Microsoft-Windows-DotNETRuntime:${KEYWORDS}:5`,
  };
  const { stdout } = await run(command, args, { env, maxBuffer: 2 ** 26 });
  const capture = mergeCaptures([await readNettrace(createReadStream(trace))])[0];
  const code = {
    pid: capture.pid,
    code: capture.code,
    modules: capture.modules,
    images: [],
    native: [],
    used: usedAddresses(capture),
    types: [],
  };
  return { output: cells(stdout), capture, code };
}

export async function outputOf(command: string, ...args: string[]): Promise<string[][]> {
  return cells((await run(command, args, { maxBuffer: 2 ** 26 })).stdout);
}

const cells = (text: string) => text.split('\n').map((line) => line.split('\t'));
