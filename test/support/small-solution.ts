import { execFileSync } from 'node:child_process';

/**
 * Makes and restores a solution of a library and a program that uses it in the empty `folder`; gives its path.
 * @throws Error with what dotnet printed when it fails.
 */
export function makeSmallSolution(folder: string): string {
  for (const args of [
    ['new', 'sln', '-n', 'small', '-f', 'slnx'],
    ['new', 'classlib', '-o', 'lib'],
    ['new', 'console', '-o', 'app'],
    ['add', 'app', 'reference', 'lib'],
    ['sln', 'small.slnx', 'add', 'app', 'lib'],
    ['restore', 'small.slnx'],
  ]) {
    execFileSync('dotnet', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  }
  return `${folder}/small.slnx`;
}
