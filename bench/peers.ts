import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dotnetTracePath } from '../test/support/judges.ts';
import { ROOT } from '../test/support/root.ts';

/** Where benchmarks keep what they make. */
export const WORK = join(ROOT, '.build', 'bench-work');
mkdirSync(WORK, { recursive: true });

/** `target` recorded by memsurge into the file `trace`, which is replaced; `options` are more options of `run`. */
export function memsurgeRun(trace: string, target: readonly string[], ...options: readonly string[]): string[] {
  rmSync(trace, { recursive: true, force: true });
  return [process.execPath, join(ROOT, 'bin', 'memsurge.js'), 'run', ...options, '-o', trace, '--', ...target];
}

/** The trace `trace` opened and its report printed, with all figures. */
export function memsurgeReport(trace: string): string[] {
  return [process.execPath, join(ROOT, 'bin', 'memsurge.js'), 'report', '--json', trace];
}

/** `target` recorded by dotnet-trace's profile for allocations into the file `trace`, which is replaced. */
export function dotnetTraceRun(trace: string, target: readonly string[]): string[] {
  rmSync(trace, { force: true });
  return [dotnetTracePath(), 'collect', '--profile', 'gc-verbose', '--show-child-io', '-o', trace, '--', ...target];
}
