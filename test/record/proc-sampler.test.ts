import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseStat } from '../../src/read/procfs/process.ts';
import { createRecordingFolder } from '../../src/record/folder.ts';
import { startProcSampler } from '../../src/record/proc-sampler.ts';
import { scratchFolder, start, until } from '../support/memsurge.ts';

const folder = await scratchFolder();

test('a child that ended before its parent is noted so, though both are found gone at once', async () => {
  const { child: parent, output } = start('sh', ['-c', 'sleep 600 & echo $!; wait; exit 5']);
  await until(() => output().includes('\n'));
  const recording = await createRecordingFolder(join(folder, 'ends'), { tool: '', mode: 'run', command: [] });
  const sampler = startProcSampler(recording);
  const processes = [parent.pid!, Number(output())].map((pid) =>
    recording.addProcess({ pid, parentPid: 0, name: '', commandLine: '', runtime: '', startTime: 0 }),
  );
  const sampled = processes.map((one) => sampler.add(one));
  // Nothing else runs here until both are gone, so that the parent is not reaped.
  process.kill(processes[1].pid);
  while (existsSync(`/proc/${processes[1].pid}`) || stateOf(processes[0].pid) !== 'Z');
  sampler.sampleAll();
  await Promise.all(sampled.map((one) => one.ended));
  expect(processes[1].endTime).toBeLessThan(processes[0].endTime!);
  expect(processes[0].exit).toBe('exit code 5');
  sampler.close();
  await recording.finish();
});

const stateOf = (pid: number) => parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.state;
