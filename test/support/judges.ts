import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';

/** Figures of one .nettrace file as Microsoft's TraceEvent library reads it; `seconds` leave out the process's start. */
interface Judgement {
  readonly seconds: number;
  readonly events: number;
  readonly eventsLost: number;
  /** AllocationTick events; bytes are their amounts. */
  readonly ticks: JudgedAllocations;
  /** AllocationSampled events; bytes are the sizes of the objects seen. */
  readonly samples: JudgedAllocations;
}

export interface JudgedAllocations {
  readonly count: number;
  readonly bytes: number;
  /** Under the runtime's own type names, most bytes first. */
  readonly types: readonly { readonly type: string; readonly count: number; readonly bytes: number }[];
}

/** What its streaming parser says. */
export interface StreamJudgement extends Judgement {
  readonly gcs: number;
  readonly eventCounts: readonly { provider: string; id: number; version: number; count: number }[];
}

/** What its TraceLog says; the stacks are those of the allocation events. */
export interface TraceLogJudgement extends Judgement {
  readonly createSeconds: number;
  readonly frames: number;
  readonly framesUnresolved: number;
  /** Innermost methods, most events first. */
  readonly leaves: readonly { readonly method: string; readonly count: number }[];
}

export const judgeStream = (file: string) => judge('stream', file) as Promise<StreamJudgement>;
export const judgeTraceLog = (file: string) => judge('tracelog', file) as Promise<TraceLogJudgement>;

/**
 * Path of the dotnet-trace tool.
 * @throws Error when it was not installed: `node scripts/judges.mjs` does it.
 */
export function dotnetTracePath(): string {
  return built('tools/dotnet-trace');
}

/**
 * Records `command` with dotnet-trace into the file `output` under one of its profiles ("gc-verbose").
 * @throws Error with what it printed when it fails.
 */
export async function dotnetTrace(profile: string, output: string, ...command: string[]): Promise<void> {
  await promisify(execFile)(dotnetTracePath(), ['collect', '--profile', profile, '-o', output, '--', ...command]);
}

async function judge(mode: 'stream' | 'tracelog', file: string): Promise<unknown> {
  const program = built('judges/traceevent-judge/traceevent-judge');
  const { stdout } = await promisify(execFile)(program, [mode, file], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout);
}

function built(path: string): string {
  const full = join(ROOT, '.build', path);
  if (!existsSync(full)) throw new Error(`${full} is missing: run node scripts/judges.mjs`);
  return full;
}
