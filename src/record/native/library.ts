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

/** Where the build leaves the agent, and a copy for each thing that glibc's loader puts for $LIB. */
const LIBRARY = fileURLToPath(new URL('../../../dist/agent/libmemsurge.so', import.meta.url));
const PRELOAD = join(dirname(LIBRARY), 'preload');

/** An agent that can be loaded, and how it is to record. */
export interface NativePlan {
  readonly mode: 'sampled' | 'exact';
  readonly sampleBytes: number;
  /** Path of the library. */
  readonly library: string;
}

/** What about a program stands against recording its native memory: that of all below it too, or only its own. */
interface Obstacles {
  readonly ofAll?: string | undefined;
  readonly ofItself?: string | undefined;
}

/**
 * What is recorded of native memory; undefined: nothing.
 * @throws TraceError when a mode was asked for that is not possible, with what to do.
 */
export function planNative(
  { mode, sampleBytes }: NativeOptions,
  { ofAll, ofItself }: Obstacles = {},
): NativePlan | undefined {
  if (mode === 'off') return undefined;
  const problem = whyNoNative() ?? ofAll;
  if (problem !== undefined) {
    if (mode !== undefined) throw new TraceError(`${problem}; use --native off`);
    say(`${problem}: only managed memory is recorded`);
    return undefined;
  }
  if (mode !== undefined && ofItself !== undefined) {
    throw new TraceError(`${ofItself}; leave out --native ${mode} to record what it starts`);
  }
  return { mode: mode ?? 'sampled', sampleBytes, library: LIBRARY };
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
export function whyNoNative(
  arch: string = process.arch,
  isBuilt = existsSync(LIBRARY) && existsSync(PRELOAD),
): string | undefined {
  if (arch !== 'x64') return `native memory can be recorded on x64 only, this is ${arch}`;
  if (!isBuilt) return 'the native agent was not built: install make and a C compiler, then "npm run setup"';
  return undefined;
}

/**
 * The variables with which a program and its children load the agent, which writes into `directory`. The path of the library
 * has a `$LIB` in it, which glibc's loader replaces (ld.so(8)) and that of musl does not: musl passes silently over a
 * library that it does not find, but one that it cannot link would end each such child at its start.
 */
export function preloadVariables(
  { mode, sampleBytes }: NativePlan,
  directory: string,
  before = process.env.LD_PRELOAD,
): Record<string, string> {
  const path = join(PRELOAD, '$LIB', 'libmemsurge.so');
  // The first library wins, so ours stands before what the user preloads.
  const preload = [path, before].filter((one) => one !== undefined && one !== '').join(':');
  return { LD_PRELOAD: preload, MEMSURGE_AGENT: `${mode},${sampleBytes},${directory}` };
}
