import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { run, runFixed } from './fixed-run.ts';
import { type HeapJudgement, readStacks, sumUp } from './heaptrack-trace.ts';

/**
 * heaptrack's own library brings libstdc++ into every program, which allocates this block at its start; nothing else
 * of it shows. A C program has this one block less without heaptrack.
 */
export const LIBSTDCXX_POOL_BYTES = 72_704;

/** Frames that it keeps of a stack: it walks 64 with its own two (heaptrack 1.4, trace.h), so that deeper stacks become one. */
export const HEAPTRACK_FRAMES = 62;

/** Why heaptrack cannot be asked on this machine, undefined where it can. */
export function whyNoHeaptrack(): string | undefined {
  const files = heaptrackFiles();
  if (files === undefined || !existsSync(files.library) || !existsSync(files.interpreter)) {
    return 'heaptrack is not installed (Debian: apt install heaptrack)';
  }
  if (spawnSync('setarch', ['-R', 'true']).status !== 0) return 'setarch -R is not permitted here';
  return undefined;
}

/**
 * Runs `command` under heaptrack as {@link runFixed} does; heaptrack takes its own variables away before the program looks.
 * @throws Error when heaptrack is missing, the command fails, or heaptrack's own counts differ from those made here.
 */
export async function judgeHeap(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin' },
): Promise<HeapJudgement> {
  const files = heaptrackFiles();
  if (files === undefined) throw new Error(whyNoHeaptrack());
  const folder = await mkdtemp(join(tmpdir(), 'heaptrack-'));
  try {
    const raw = join(folder, 'raw');
    await runFixed(command, environment, { LD_PRELOAD: files.library, DUMP_HEAPTRACK_OUTPUT: raw });
    const interpreted = await run([files.interpreter], process.env, raw);

    const judgement = sumUp(await readFile(raw, 'latin1'), readStacks(interpreted.stdout));
    expectSameAs(judgement, interpreted.stderr);
    return judgement;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As its shell script finds them: relative to where that is installed. */
function heaptrackFiles(): { library: string; interpreter: string } | undefined {
  const script = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'heaptrack'))
    .find((path) => existsSync(path));
  if (script === undefined) return undefined;
  const folder = join(dirname(realpathSync(script)), '..', 'lib', 'heaptrack');
  return {
    library: join(folder, 'libheaptrack_preload.so'),
    interpreter: join(folder, 'libexec', 'heaptrack_interpret'),
  };
}

/** heaptrack's interpreter prints a count each of all, of the leaked and of the temporary allocations. */
function expectSameAs({ allocations, frees, temporary }: HeapJudgement, stats: string): void {
  const theirs = [...stats.matchAll(/allocations:\s+(\d+)/g)].map(([, count]) => count).join(', ');
  const own = [allocations, allocations - frees, temporary].join(', ');
  if (own !== theirs)
    throw new Error(`heaptrack counts ${theirs} blocks, leaked and temporary ones; here it is ${own}`);
}
