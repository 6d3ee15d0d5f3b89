import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { compactAgentFile } from '../../src/read/agent/compact.ts';
import { readAgentFile } from '../../src/read/agent/file.ts';
import { HEADER } from '../../src/read/agent/layout.ts';
import { attachProfiler } from '../../src/record/diagnostics/commands.ts';
import { endpointConnect, findEndpoint } from '../../src/record/diagnostics/endpoint.ts';
import { IpcError } from '../../src/record/diagnostics/ipc.ts';
import { attachToDotnet } from '../../src/record/native/attach/dotnet.ts';
import { attachToNative } from '../../src/record/native/attach/load.ts';
import { ATTACH_DONE, ATTACH_IDLE, CLASS_STOP, resultOf } from '../../src/record/native/attach/protocol.ts';
import type { AgentFiles } from '../../src/record/native/attach/stage.ts';
import type { NativePlan } from '../../src/record/native/library.ts';
import { kindIndex } from '../../src/trace/kinds.ts';
import { scratchFolder, start, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { FRAMEWORKS, type Framework, nativeSamplePath, samplePath, whyNoNativeSamples } from '../support/samples.ts';
import { AS_NOBODY, nobodyMayUse } from './support.ts';

const MiB = 1024 * 1024;
const LEAKED = 3488 * MiB;
const LIBRARY = join(ROOT, 'dist', 'agent', 'libmemsurge.so');
const plan: NativePlan = { mode: 'exact', sampleBytes: 65_536, library: LIBRARY };
const withoutNative = whyNoNativeSamples() !== undefined;
const folder = await scratchFolder();
const running: { kill(signal: 'SIGKILL'): unknown }[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

const fresh = () => mkdtemp(join(folder, 'agents-'));
const configOf = (pid: number) => `/tmp/memsurge-agent-${pid}.cfg`;
const threadNames = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    try {
      return [readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim()];
    } catch {
      return []; // It has just ended.
    }
  });

/** Story 2, which has not loaded its native library yet. */
async function waitingStory2(framework: Framework, prefix: readonly string[] = []) {
  const [command, ...args] = [...prefix, samplePath('story2', framework), '--wait-for-enter', '--delay', '5', '--wait'];
  const started = start(command, args);
  running.push(started.child);
  await until(() => started.output().includes('waits for Enter'));
  return { ...started, pid: Number(/PID (\d+)/.exec(started.output())?.[1]) };
}

const attached: AgentFiles[] = [];
afterEach(async () => {
  for (const files of attached.splice(0)) await files.release();
});

/** The folder in which the agent makes its file. */
async function keep(attaching: Promise<AgentFiles>): Promise<string> {
  const files = await attaching;
  attached.push(files);
  return files.directory;
}
const attach = async (pid: number, directory: string) =>
  keep(attachToDotnet(pid, endpointConnect(await findEndpoint(pid)), plan, directory));

/** Result of asking the runtime for the agent's stop class. */
async function stopThroughRuntime(pid: number): Promise<number | undefined> {
  const connect = endpointConnect(await findEndpoint(pid));
  const error = await attachProfiler(connect, CLASS_STOP, LIBRARY).catch((one) => one);
  return error instanceof IpcError ? resultOf(error.code) : undefined;
}

async function stopThroughFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(new Uint8Array([1, 0, 0, 0]), 0, 4, HEADER.stop);
  await file.close();
}

function theFile(directory: string): string {
  const names = readdirSync(directory).filter((name) => name.endsWith('.agent'));
  expect(names).toHaveLength(1);
  return join(directory, names[0]);
}

/** Bytes of the native heap that are live in an agent's file. */
function liveBytes(path: string): number {
  const { sites } = readAgentFile(compactAgentFile(path));
  let bytes = 0;
  for (let i = 1; i < sites.length; i++) {
    if (sites.kind[i] === kindIndex('native-heap')) bytes += sites.allocatedBytes[i] - sites.freedBytes[i];
  }
  return bytes;
}

describe.skipIf(withoutNative).each(FRAMEWORKS)('%s', (framework) => {
  test('a library that is loaded after attaching is recorded; stopping leaves the process as it was', async () => {
    const target = await waitingStory2(framework);
    const directory = await attach(target.pid, await fresh());
    expect(theFile(directory)).toMatch(new RegExp(`/${target.pid}-\\d+\\.agent$`));
    expect(threadNames(target.pid)).toContain('memsurge');

    await expect(attach(target.pid, await fresh())).rejects.toThrow('it is being recorded already');
    expect(existsSync(configOf(target.pid))).toBe(false);

    target.child.stdin?.write('\n');
    await until(() => target.output().includes('3488 MiB leaked'));
    expect(await stopThroughRuntime(target.pid)).toBe(ATTACH_DONE);
    expect(await stopThroughRuntime(target.pid)).toBe(ATTACH_IDLE);
    expect(threadNames(target.pid)).not.toContain('memsurge');
    const bytes = liveBytes(theFile(directory));
    expect(bytes).toBeGreaterThanOrEqual(LEAKED);
    expect(bytes).toBeLessThan(LEAKED + MiB);

    // Once more: the agent is there already.
    const again = await attach(target.pid, await fresh());
    await stopThroughFile(theFile(again));
    await until(() => !threadNames(target.pid).includes('memsurge'));
    target.child.stdin?.write('\n');
    expect((await target.finished).status).toBe(0);
  });
});

test.skipIf(withoutNative || !nobodyMayUse('/bin/sleep'))(
  "another user's process records into a folder of its own",
  async () => {
    const bare = await mkdtemp('/tmp/memsurge-test-nobody-');
    await chmod(bare, 0o755);
    const program = join(bare, 'sleeper');
    execFileSync('cp', ['/bin/sleep', program]);
    const child = start(AS_NOBODY[0], [...AS_NOBODY.slice(1), program, '60']).child;
    running.push(child);
    await until(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleeper\n');
    const asked = await fresh();
    const directory = await keep(attachToNative(child.pid!, plan, asked));
    expect(directory).not.toBe(asked);
    await stopThroughFile(theFile(directory));
    await until(() => !threadNames(child.pid!).includes('memsurge'));
    execFileSync('rm', ['-rf', bare]);
  },
);

test.skipIf(withoutNative)('a native program in full swing is attached to', async () => {
  const { child } = start(nativeSamplePath('churn'), ['2000000000', '8', '2']);
  running.push(child);
  await until(() => threadNames(child.pid!).length === 3);
  const directory = await keep(attachToNative(child.pid!, plan, await fresh()));
  const recorded = () => readAgentFile(compactAgentFile(theFile(directory)));
  await until(() => recorded().sites.allocatedCount.reduce((sum, count) => sum + count, 0) > 1000);
  await stopThroughFile(theFile(directory));
  await until(() => !threadNames(child.pid!).includes('memsurge'));
  expect(recorded().losses.missedFreeCount).toBe(0);
  expect(child.exitCode).toBe(null);
});

test.skipIf(withoutNative)('what cannot be recorded is refused in one line', async () => {
  await expect(attachToNative(2 ** 22 - 1, plan, folder)).rejects.toThrow(
    /^native memory of process \d+ cannot be recorded: it has ended/,
  );
});
