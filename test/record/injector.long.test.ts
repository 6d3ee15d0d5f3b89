import { afterEach, describe, expect, test } from 'vitest';
import { scratchFolder } from '../support/memsurge.ts';
import {
  cycles,
  killInjectors,
  killRecorders,
  type Restless,
  startRestless,
  UNHARMED,
  WAITS,
  WORK,
} from './restless.ts';
import { raceForFilesOfRoot } from './stage-race.ts';

const folder = await scratchFolder();
const running: { kill(signal: 'SIGKILL'): unknown }[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function restless(kind: string): Promise<Restless> {
  const target = await startRestless([kind]);
  running.push(target.child);
  return target;
}

describe('attached to for long', () => {
  test.each([...WAITS, ...WORK])('%s', async (kind) => {
    const target = await restless(kind);
    expect(await cycles(target.pid, kind === 'load' ? 1000 : 200)).toEqual([]);
    expect(await target.end()).toEqual(UNHARMED);
  });

  test.each(WORK)('the injector is killed in %s', async (kind) => {
    const target = await restless(kind);
    expect(await killInjectors(target.pid, folder, 300)).toEqual([]);
    expect(await target.end()).toEqual(UNHARMED);
  });

  test.skipIf(process.getuid?.() !== 0)('by root, raced for its files (needs root)', async () => {
    expect(await raceForFilesOfRoot(100)).toBe(0);
  });

  test('memsurge is killed', async () => {
    expect(await killRecorders(folder, 100)).toEqual([]);
  });
});
