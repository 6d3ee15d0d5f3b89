import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WORK } from './peers.ts';

/** The command that builds a solution of a library and a program from scratch, without restoring; makes it first. */
export function buildSmallSolution(): string[] {
  const folder = join(WORK, 'solution');
  const solution = join(folder, 'small.slnx');
  if (!existsSync(join(folder, 'app', 'obj', 'project.assets.json'))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const args of [
      ['new', 'sln', '-n', 'small', '-f', 'slnx'],
      ['new', 'classlib', '-o', 'lib'],
      ['new', 'console', '-o', 'app'],
      ['add', 'app', 'reference', 'lib'],
      ['sln', 'small.slnx', 'add', 'app', 'lib'],
      ['restore', 'small.slnx'],
    ]) {
      execFileSync('dotnet', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    }
  }
  // No servers: their processor time would be missing, and a warm one would make the second run cheaper.
  const alone = ['-nodeReuse:false', '-p:UseSharedCompilation=false'];
  return ['dotnet', 'build', solution, '--no-restore', '--no-incremental', ...alone];
}
