import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../src/read/open.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { ask, type Finished, memsurge, scratchFolder } from '../support/memsurge.ts';
import { makeSmallSolution } from '../support/small-solution.ts';

/** A real program nobody here wrote: the .NET CLI, MSBuild and the C# compiler. */
describe('dotnet build of a small solution', () => {
  let run: Finished;
  let path: string;
  let trace: Trace;

  beforeAll(async () => {
    const folder = await scratchFolder();
    const solution = makeSmallSolution(folder);
    path = join(folder, 'build.memsurge');
    const build = ['dotnet', 'build', solution, '--no-restore', '-p:UseSharedCompilation=false'];
    run = await memsurge('run', '-o', path, '--', ...build);
    trace = await openTrace(path);
  });

  test('succeeds as if nobody watched', () => {
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('0 Error(s)');
  });

  test('is recorded with its children', () => {
    const { name, parent, pid } = trace.processes;
    expect(name[0]).toBe('dotnet');
    const compilers = [...name.keys()].filter((row) => name[row] === 'csc');
    expect(compilers.length).toBeGreaterThanOrEqual(2);
    for (const row of compilers) expect(pid[parent[row]]).toBeGreaterThan(0);
  });

  test('has next to no frame without a name', () => {
    const { frames, framesUnresolved, eventsLost } = trace.recording;
    expect(frames).toBeGreaterThan(10_000);
    expect(framesUnresolved / frames).toBeLessThan(0.002);
    expect(eventsLost).toBe(0);
  });

  test("names the .NET CLI's, MSBuild's and the compiler's own types and methods", async () => {
    const { rows: functions } = await ask('top', path, '--by', 'function', '--limit', '100000');
    for (const name of [
      /^(new )?Microsoft\.DotNet\.Cli\./,
      /^(new )?Microsoft\.Build\./,
      /^(new )?Microsoft\.CodeAnalysis\./,
    ]) {
      expect(functions.some((row) => name.test(row.name))).toBe(true);
    }
    const { rows: types } = await ask('top', path, '--process', 'csc', '--by', 'type', '--limit', '100000');
    expect(types.some((row) => row.name.startsWith('Microsoft.CodeAnalysis.'))).toBe(true);
  });
});
