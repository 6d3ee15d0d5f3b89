import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeSmallSolution } from '../test/support/small-solution.ts';
import { WORK } from './peers.ts';

/** The command that builds a small solution from scratch, without restoring; the solution is made once. */
export function buildSmallSolution(): string[] {
  const folder = join(WORK, 'solution');
  if (!existsSync(join(folder, 'app', 'obj', 'project.assets.json'))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    makeSmallSolution(folder);
  }
  // No servers: their processor time would be missing, and a warm one would make the second run cheaper.
  const alone = ['-nodeReuse:false', '-p:UseSharedCompilation=false'];
  return ['dotnet', 'build', join(folder, 'small.slnx'), '--no-restore', '--no-incremental', ...alone];
}
