import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRecordingFolder } from '../../src/record/folder.ts';
import { scratchFolder } from '../support/memsurge.ts';

const scratch = await scratchFolder();

test('a process is one, whether its runtime or its agent is found first, and however late', async () => {
  const output = join(scratch, 'late.memsurge');
  const folder = await createRecordingFolder(output, { tool: 'test', mode: 'run', command: ['csc'] });
  const facts = { pid: 7, parentPid: 1, name: 'csc', commandLine: 'csc' };
  const byRuntime = folder.addProcess({ ...facts, runtime: '.NET 10.0.0', startTime: 2000 });
  byRuntime.endTime = 9000;

  const byAgent = folder.addProcess({ ...facts, runtime: '', startTime: 1000 });
  expect(byAgent).toBe(byRuntime);
  expect(byAgent).toMatchObject({ runtime: '.NET 10.0.0', startTime: 1000 });

  const next = folder.addProcess({ ...facts, runtime: '', startTime: 9500 });
  expect(next).not.toBe(byAgent);
  expect(folder.manifest.processes.map(({ id }) => id)).toEqual(['7', '7-2']);
  await folder.finish();
});

test('what is written stays in the folder that was made, whatever is laid in its place', async () => {
  const output = join(scratch, 'replaced.memsurge');
  const folder = await createRecordingFolder(output, { tool: 'test', mode: 'run', command: ['csc'] });
  const foreign = join(scratch, 'foreign');
  mkdirSync(join(foreign, 'process'), { recursive: true });
  renameSync(folder.path, `${output}.moved`);
  symlinkSync(foreign, folder.path);
  folder.append('process/1.csv', 'a row');
  folder.part('process/2.csv').write('another');
  folder.saveNow();
  await folder.finish();
  expect(readdirSync(foreign, { recursive: true })).toEqual(['process']);
  expect(readFileSync(`${output}.moved/process/2.csv`, 'utf8')).toBe('another');
});
