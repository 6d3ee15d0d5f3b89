import { execFile, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fileImages } from '../../../src/symbols/images.ts';
import { type NativeSymbols, openNativeSymbols } from '../../../src/symbols/native/index.ts';

const run = promisify(execFile);

/** Sources of the test program; it prints where it called `where` from. */
export const SOURCES = fileURLToPath(new URL('./program', import.meta.url));

/** What the test program said of one call: the address it returns to, as in the file, and the call's own place. */
export interface Truth {
  readonly address: number;
  readonly file: string;
  readonly line: number;
}

/** Compiles the test program with these options for both compilers; the path of the executable. */
export async function buildProgram(folder: string, options: readonly string[], compiler = 'g++'): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'program');
  const c = compiler.replace('clang++', 'clang').replace('g++', 'gcc');
  const objects = await Promise.all(
    ['main.cpp', 'shapes.cpp', 'plain.c', 'where.c'].map(async (source) => {
      const object = join(folder, `${source}.o`);
      const [command, ...standard] = source.endsWith('.c') ? [c] : [compiler, '-std=c++17'];
      await run(command, [...standard, ...options, '-c', join(SOURCES, source), '-o', object]);
      return object;
    }),
  );
  await run(compiler, [...options, ...objects, '-o', path]);
  return path;
}

/** What the program says of its calls, each place once. */
export async function truthOf(path: string): Promise<Truth[]> {
  const lines = new Set((await run(path, [])).stdout.trim().split('\n'));
  return Array.from(lines, (text) => {
    const [address, file, line] = text.split('\t');
    return { address: Number.parseInt(address, 16), file, line: Number(line) };
  });
}

export const tool = async (command: string, ...args: string[]): Promise<string> =>
  (await run(command, args, { maxBuffer: 2 ** 28 })).stdout;

const images = fileImages();

/** What a tool says to this input; empty when it is not there. */
export const answerOf = (command: string, args: readonly string[], input = ''): string =>
  spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 2 ** 28 }).stdout ?? '';

/** Symbols of a file of this machine. */
export const open = (path: string, buildId = ''): NativeSymbols =>
  openNativeSymbols(path, buildId, (file) => images(file, process.pid));

/** Frames in short: "function file:line", innermost first. */
export function shortFrames(symbols: NativeSymbols, offset: number): string[] {
  return symbols
    .frames(offset)
    .map((frame) => `${frame.function} ${frame.file.slice(frame.file.lastIndexOf('/') + 1)}:${frame.line}`);
}
