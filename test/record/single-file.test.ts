import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTrace } from '../../src/read/open.ts';
import { hidesPrecompiledCode } from '../../src/record/precompiled.ts';
import { isLong } from '../support/long.ts';
import { memsurge, scratchFolder, start, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { type Framework, samplePath } from '../support/samples.ts';

/** The sample as one file with its runtime, whose framework is precompiled. */
function publish(framework: Framework, folder: string): string {
  const output = join(folder, framework);
  execFileSync('dotnet', [
    ...['publish', join(ROOT, 'samples', 'mixed', 'mixed.csproj'), '-f', framework, '-c', 'Release'],
    ...['--self-contained', '--use-current-runtime', '-p:PublishSingleFile=true', '-o', join(output, 'out')],
    // Not where the samples themselves are built.
    ...[`-p:OutputPath=${output}/bin/`, `-p:BaseIntermediateOutputPath=${output}/obj/`],
  ]);
  return join(output, 'out', 'mixed');
}

describe('a program that is one file', async () => {
  const folder = await scratchFolder();

  test.each<Framework>(isLong ? ['net8.0', 'net9.0', 'net10.0'] : ['net8.0'])(
    '%s: its precompiled code has names',
    async (framework) => {
      const program = publish(framework, folder);
      const output = join(folder, `${framework}.memsurge`);
      expect((await memsurge('run', '--native', 'off', '-o', output, '--', program)).status).toBe(0);
      const { recording, functions } = await openTrace(output);
      expect(recording.frames).toBeGreaterThan(10_000);
      expect(recording.framesUnresolved / recording.frames).toBeLessThan(0.002);
      expect(functions.name).toContain('System.String.Ctor');
    },
  );
});

test('the names of a program that lies beside its runtime are looked up in its images', async () => {
  const { child, finished } = start(samplePath('exits', 'net8.0'), ['wait']);
  await until(() => hidesPrecompiledCode(child.pid!) === false);
  child.kill('SIGKILL');
  await finished;
});
