import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { memsurge, scratchFolder, start, until } from '../support/memsurge.ts';
import { nativeSamplePath, whyNoNativeSamples } from '../support/samples.ts';
import {
  cycles,
  isFree,
  killInjectors,
  killRecorders,
  type Restless,
  startRestless,
  UNHARMED,
  WAITS,
  WORK,
} from './restless.ts';

const folder = await scratchFolder();
const running: { kill(signal: 'SIGKILL'): unknown }[] = [];
let number = 0;
const fresh = () => join(folder, `n${number++}.memsurge`);

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function restless(...args: string[]): Promise<Restless> {
  const target = await startRestless(args);
  running.push(target.child);
  return target;
}

describe.skipIf(whyNoNativeSamples() !== undefined)('a program that is attached to again and again', () => {
  test.each([...WAITS, ...WORK])('goes on with its %s as if nothing had been', async (kind) => {
    const target = await restless(kind);
    expect(await cycles(target.pid, 4)).toEqual([]);
    expect(await target.end()).toEqual(UNHARMED);
  });
});

test.skipIf(whyNoNativeSamples() !== undefined || process.getuid?.() !== 0)(
  'a filter of system calls that leaves the agent what it needs, as in a container, is no obstacle (needs root to be read)',
  async () => {
    const target = await restless('contained');
    expect(await cycles(target.pid, 2)).toEqual([]);
    expect(await target.end()).toEqual(UNHARMED);
  },
);

describe.skipIf(whyNoNativeSamples() !== undefined)('whoever is killed', () => {
  test('memsurge, at any moment of its start: the program is let go, and nothing stays behind', async () => {
    expect(await killRecorders(folder, 6)).toEqual([]);
  });

  test.each(['registers', 'malloc', 'signals'])(
    'the injector, in the middle of %s: the thread finds back',
    async (kind) => {
      const target = await restless(kind);
      expect(await killInjectors(target.pid, folder, 10)).toEqual([]);
      expect(await target.end()).toEqual(UNHARMED);
    },
  );
});

describe.skipIf(whyNoNativeSamples() !== undefined)('refused in one line, and left as it is', () => {
  async function refused(target: Restless, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await memsurge(
      'attach',
      String(target.pid),
      '-d',
      '10ms',
      '-o',
      fresh(),
      ...args,
    );
    expect([status, stdout]).toEqual([2, '']);
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(1);
    return lines[0];
  }

  test('a program that is stopped stays stopped', async () => {
    const target = await restless('malloc');
    target.child.kill('SIGSTOP');
    expect(await refused(target)).toMatch(/it is stopped; let it go on first \(kill -CONT \d+\)$/);
    target.child.kill('SIGCONT');
    expect(await target.end()).toEqual(UNHARMED);
  });

  test('a program that has a debugger', async () => {
    const target = await restless('malloc');
    const debugger_ = await tracing(target.pid);
    expect(await refused(target)).toMatch(/a debugger is attached to it \(process \d+\)$/);
    debugger_.kill('SIGKILL');
    await until(() => isFree(target.pid));
    expect(await target.end()).toEqual(UNHARMED);
  });

  test('a program whose system calls are filtered', async () => {
    const target = await restless('filtered');
    expect(await refused(target)).toMatch(/its system calls are filtered \(seccomp\)/);
    expect(await target.end()).toEqual(UNHARMED);
  });

  test('another thread holds the lock of the loader: the borrowed one is taken back', async () => {
    const held = join(folder, 'held');
    execFileSync('mkfifo', [held]);
    const library = nativeSamplePath('libheld.so');
    const target = await startRestless(['held', library], [], { ...process.env, HELD_UNTIL: held });
    running.push(target.child);
    await until(() => target.output().includes('held'));
    expect(await refused(target)).toMatch(/another of its threads is loading a library and does not come to an end/);
    closeSync(openSync(held, 'w'));
    expect(await cycles(target.pid, 2)).toEqual([]);
    expect(await target.end()).toMatchObject({ status: 9, signal: null });
  });

  /** Something that traces the program, as a debugger does. */
  async function tracing(pid: number) {
    const { child, output } = start(nativeSamplePath('restless'), ['trace', String(pid)]);
    running.push(child);
    await until(() => output().includes('tracing'));
    return child;
  }
});
