import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TraceError } from '../../trace/errors.ts';
import { say } from '../say.ts';

/** How native memory is recorded: a random sample by bytes, every allocation, or not at all. */
export const NATIVE_MODES = ['sampled', 'exact', 'off'] as const;
export type NativeMode = (typeof NATIVE_MODES)[number];

export interface NativeOptions {
  /** Undefined: sampled where that is possible. */
  readonly mode: NativeMode | undefined;
  /** Mean of the sampling, bytes. */
  readonly sampleBytes: number;
}

export const DEFAULT_SAMPLE_BYTES = 65_536;

/** Where the build leaves the agent. */
const LIBRARY = fileURLToPath(new URL('../../../dist/agent/libmemsurge.so', import.meta.url));

/** An agent that can be loaded, and how it is to record. */
export interface NativePlan {
  readonly mode: 'sampled' | 'exact';
  readonly sampleBytes: number;
  /** Path of the library. */
  readonly library: string;
}

/**
 * What is recorded of native memory; undefined: nothing. `obstacle` says what about the program stands against it.
 * @throws TraceError when a mode was asked for that is not possible, with what to do.
 */
export function planNative({ mode, sampleBytes }: NativeOptions, obstacle?: string): NativePlan | undefined {
  if (mode === 'off') return undefined;
  const problem = whyNoNative() ?? obstacle;
  if (problem === undefined) return { mode: mode ?? 'sampled', sampleBytes, library: LIBRARY };
  if (mode !== undefined) throw new TraceError(`${problem}; use --native off`);
  say(`${problem}: only managed memory is recorded`);
  return undefined;
}

/**
 * The same for a process of which there is nothing but native memory to record.
 * @throws TraceError when it cannot be recorded on this machine.
 */
export function requireNative({ mode, sampleBytes }: NativeOptions): NativePlan {
  const problem = whyNoNative();
  if (problem !== undefined) throw new TraceError(problem);
  return { mode: mode === 'exact' ? mode : 'sampled', sampleBytes, library: LIBRARY };
}

/** Why no native memory can be recorded on this machine; undefined where it can. */
export function whyNoNative(arch: string = process.arch, isBuilt = existsSync(LIBRARY)): string | undefined {
  if (arch !== 'x64') return `native memory can be recorded on x64 only, this is ${arch}`;
  if (!isBuilt) return 'the native agent was not built (that takes make and a C compiler)';
  return undefined;
}

/**
 * The environment in which a program and its children load the agent, which writes into `directory`. The path of the library
 * has a `$LIB` in it, which glibc's loader replaces (ld.so(8)) and that of musl does not: musl passes silently over a
 * library that it does not find, but one that it cannot link would end each such child at its start.
 */
export function preloadEnvironment(
  environment: NodeJS.ProcessEnv,
  { mode, sampleBytes, library }: NativePlan,
  directory: string,
): NodeJS.ProcessEnv {
  const path = join(dirname(library), 'preload', '$LIB', 'libmemsurge.so');
  // The first library wins, so ours stands before what the user preloads.
  const preload = [path, environment.LD_PRELOAD].filter((one) => one !== undefined && one !== '').join(':');
  return { ...environment, LD_PRELOAD: preload, MEMSURGE_AGENT: `${mode},${sampleBytes},${directory}` };
}
