import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRss } from '../../src/read/procfs/parts.ts';
import { parseHighestRssBytes, parseRssBytes, parseStat } from '../../src/read/procfs/process.ts';
import { createRecordingFolder } from '../../src/record/folder.ts';
import { startProcSampler } from '../../src/record/proc-sampler.ts';
import { seenParts } from '../../src/trace/part-names.ts';
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

test('a resident set that is high between two samples is seen', async () => {
  const script = `print('up', flush=True); input(); block = b'x' * (64 << 20); del block; print('down', flush=True); input()`;
  const { child, output, finished } = start('/usr/bin/python3', ['-c', script]);
  await until(() => output().includes('up'));
  const recording = await createRecordingFolder(join(folder, 'high'), { tool: '', mode: 'run', command: [] });
  const sampler = startProcSampler(recording);
  const facts = { pid: child.pid!, parentPid: 0, name: '', commandLine: '', runtime: '', startTime: 0 };
  const sampled = sampler.add(recording.addProcess(facts));
  const before = sampler.rss;
  child.stdin?.write('\n');
  // Nothing else runs here until it is down again.
  while (highestOf(child.pid!) < before + (60 << 20) || rssOf(child.pid!) > before + (30 << 20));
  sampler.sampleAll();
  expect(sampler.rss).toBeLessThan(before + (30 << 20));
  child.stdin?.end('\n');
  await finished;
  sampler.sampleAll();
  await sampled.ended;
  sampler.close();
  await recording.finish();
  const { value } = parseRss(readFileSync(join(folder, 'high.recording', seenParts(String(child.pid))[0]), 'utf8'));
  expect(Math.max(...value)).toBeGreaterThan(before + (60 << 20));
});

const statusOf = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8');
const highestOf = (pid: number) => parseHighestRssBytes(statusOf(pid)) ?? 0;
const rssOf = (pid: number) => parseRssBytes(statusOf(pid)) ?? 0;
const stateOf = (pid: number) => parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.state;
