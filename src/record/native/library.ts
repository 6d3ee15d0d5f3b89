import { existsSync } from 'node:fs';
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
 * What is recorded of native memory; undefined: nothing.
 * @throws TraceError when a mode was asked for that is not possible, with what to do.
 */
export function planNative({ mode, sampleBytes }: NativeOptions): NativePlan | undefined {
  if (mode === 'off') return undefined;
  const problem = whyNot();
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
  const problem = whyNot();
  if (problem !== undefined) throw new TraceError(problem);
  return { mode: mode === 'exact' ? mode : 'sampled', sampleBytes, library: LIBRARY };
}

function whyNot(): string | undefined {
  if (process.arch !== 'x64') return `native memory can be recorded on x64 only, this is ${process.arch}`;
  if (!existsSync(LIBRARY)) return 'the native agent was not built (that takes make and a C compiler)';
  return undefined;
}

/** The environment in which a program and its children load the agent, which writes into `directory`. */
export function preloadEnvironment(
  environment: NodeJS.ProcessEnv,
  { mode, sampleBytes, library }: NativePlan,
  directory: string,
): NodeJS.ProcessEnv {
  // The first library wins, so ours stands before what the user preloads.
  const preload = [library, environment.LD_PRELOAD].filter((one) => one !== undefined && one !== '').join(':');
  return { ...environment, LD_PRELOAD: preload, MEMSURGE_AGENT: `${mode},${sampleBytes},${directory}` };
}
