import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRecordingFolder } from '../../src/record/folder.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { recordChurn } from './churn.ts';

const folder = await scratchFolder();

test('hundreds of children under a low limit of open files: all are recorded, and what has ended is let go', async () => {
  const { status, stderr, most, manifest, trace } = await recordChurn(join(folder, 'churn.memsurge'), 300, 80);
  expect(stderr).toMatch(/^memsurge: wrote [^\n]*\n$/);
  expect(status).toBe(5);
  expect(manifest.warnings).toEqual([]);
  expect(manifest.processes).toHaveLength(301);
  expect(manifest.processes.filter(({ native }) => native.length !== 1)).toEqual([]);
  expect(trace.processes).toHaveLength(301);
  expect(most.files).toBeLessThan(80);
  expect(most.memory).toBeLessThan(16 * 1024 ** 2);
});

test('of more processes than are kept, those with most memory are, and the others are counted', async () => {
  const limits = { processes: 10, bytes: 1e6 };
  const recording = await createRecordingFolder(
    join(folder, 'kept'),
    { tool: 'test', mode: 'run', command: ['sh'] },
    limits,
  );
  await mkdir(join(recording.path, 'native'));
  for (let n = 1; n <= 25; n++) {
    const process = recording.addProcess({
      pid: n,
      parentPid: 1,
      name: 'child',
      commandLine: 'child',
      runtime: '',
      startTime: n,
    });
    const releases = [recording.hold(process), recording.hold(process)];
    recording.append(`process/${process.id}.csv`, '1,1\n');
    process.native.push(`native/${n}.agent`);
    await writeFile(join(recording.path, `native/${n}.looks`), '');
    process.endTime = n + 1;
    // Every second had more than all others.
    releases[0](n);
    releases[1](n % 2 === 0 ? n * 2 ** 20 : 0);
  }
  await recording.finish();
  const { manifest } = await openTraceFile(recording.path);
  const pids = manifest.processes.map(({ pid }) => pid);
  expect(pids).toEqual(expect.arrayContaining([8, 10, 12, 14, 16, 18, 20, 22, 24]));
  expect(pids.length).toBeLessThanOrEqual(10);
  expect(manifest.warnings).toEqual([
    expect.stringMatching(
      new RegExp(
        `^${25 - pids.length} processes that ended are in no figure: .* at most 10 and 1.0 MiB; these had 6.0 MiB`,
      ),
    ),
  ]);
  for (let n = 1; n <= 25; n++) {
    expect(existsSync(join(recording.path, `process/${n}.csv`)), `${n}`).toBe(pids.includes(n));
    expect(existsSync(join(recording.path, `native/${n}.looks`)), `${n}`).toBe(pids.includes(n));
  }
});

test('a warning for each of many processes is said a hundred times, then counted', async () => {
  const recording = await createRecordingFolder(join(folder, 'warnings'), { tool: '', mode: 'run', command: [] });
  for (let n = 0; n < 5000; n++) recording.warn(`process ${n} was not recorded`);
  await recording.finish();
  const { warnings } = (await openTraceFile(recording.path)).manifest;
  expect([warnings.length, warnings.at(-1)]).toEqual([101, '4900 more warnings like these were left out']);
});
