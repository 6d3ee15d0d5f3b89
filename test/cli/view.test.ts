import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tunnelLine } from '../../src/cli/serve-traces.ts';
import { memsurge, scratchFolder, start, startMemsurge, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { samplePath } from '../support/samples.ts';
import { writeNettrace, writeRecording } from '../support/traces.ts';

const folder = await scratchFolder();
const trace = writeNettrace(folder, 'sampled');

const addressIn = (text: string) => /http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\//.exec(text)?.[0];

/** Waits for the address, asks there for the traces, and ends the command with `signal`. */
async function visit(
  { child, finished, output }: ReturnType<typeof startMemsurge>,
  signal: NodeJS.Signals,
): Promise<{ traces: { name: string }[]; status: number | null; stdout: string; stderr: string }> {
  await until(() => addressIn(output()) !== undefined || hasEnded(child));
  const response = await fetch(`${addressIn(output())}api/traces`);
  const { traces } = (await response.json()) as { traces: { name: string }[] };
  child.kill(signal);
  return { traces, ...(await finished) };
}

/** The same with its standard error as the output that is looked at. */
function onStderr(command: ReturnType<typeof startMemsurge>): ReturnType<typeof startMemsurge> {
  let stderr = '';
  command.child.stderr?.on('data', (text) => {
    stderr += text;
  });
  return { ...command, output: () => stderr };
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

describe('view', () => {
  test('prints the address, serves all its traces, and ends well at Ctrl-C', async () => {
    const other = writeRecording(folder, 'shop.memsurge.recording');
    const { traces, status, stdout, stderr } = await visit(startMemsurge('view', trace, other), 'SIGINT');
    expect(traces.map(({ name }) => name)).toEqual(['sampled.nettrace', 'shop.memsurge.recording']);
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/ {2}\(Ctrl-C ends\)\n/);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('ends well at SIGTERM, and opens no browser where there is no terminal', async () => {
    const bin = join(ROOT, 'bin', 'memsurge.js');
    const marker = join(folder, 'opened');
    writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\necho "$1" > ${marker}\n`, { mode: 0o755 });
    const env = { ...process.env, DISPLAY: ':0', PATH: `${folder}:${process.env.PATH}` };
    const { status } = await visit(start(process.execPath, [bin, 'view', trace], env), 'SIGTERM');
    expect(status).toBe(0);
    expect(spawnSync('test', ['-e', marker]).status).toBe(1);
  });

  test.each([
    [['view', join(folder, 'none.memsurge')], /^memsurge: cannot open \S+ \(there is no such file\)\n$/],
    [['view', join(ROOT, 'package.json')], /^memsurge: \S+ is neither a memsurge trace nor a \.nettrace file\n$/],
    [['view', trace, folder], /^memsurge: \S+ has no readable manifest\.json .*: not a memsurge recording\n$/],
    [['view', trace, '--port', '0'], /^memsurge: option '--port <n>' argument '0' is invalid\. .*\n$/],
    [['view'], /^memsurge: missing required argument 'trace' .*\n$/],
  ])('%j is one line and exit code 2', async (args, line) => {
    const { status, stdout, stderr } = await memsurge(...args);
    expect(stderr).toMatch(line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  test('a port in use is one line and exit code 2', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const { status, stderr } = await memsurge('view', trace, '--port', String(port));
    taken.close();
    expect(stderr).toBe(
      `memsurge: port ${port} is in use; give another with --port, or leave it out for any free one\n`,
    );
    expect(status).toBe(2);
  });

  test('in an SSH session it says which tunnel to make', () => {
    const { username } = userInfo();
    expect(tunnelLine('8123', undefined)).toBeUndefined();
    expect(tunnelLine('8123', '10.0.0.5 51234 192.168.1.7 22')).toBe(
      `from the machine you sit at, first: ssh -L 8123:127.0.0.1:8123 ${username}@192.168.1.7`,
    );
    expect(tunnelLine('8123', '10.0.0.5 51234 192.168.1.7 2222')).toContain('-L 8123:127.0.0.1:8123 -p 2222 ');
  });
});

test('attach --view shows the trace when the recording has stopped, and the process goes on', async () => {
  const target = start(samplePath('exits'), ['wait']);
  onTestFinished(() => void target.child.kill('SIGKILL'));
  await until(() => target.output().includes('ready'));
  const output = join(folder, 'attached.memsurge');
  const args = ['attach', String(target.child.pid), '--duration', '500ms', '--view', '-o', output];
  const ended = await visit(onStderr(startMemsurge(...args)), 'SIGINT');
  expect(ended.traces.map(({ name }) => name)).toEqual(['attached.memsurge']);
  expect({ status: ended.status, stdout: ended.stdout }).toEqual({ status: 0, stdout: '' });
  expect(hasEnded(target.child)).toBe(false);
});

describe('run', () => {
  test('--view shows the trace when the program has ended, and passes on its exit code', async () => {
    const output = join(folder, 'run.memsurge');
    const program = ['sh', '-c', 'echo ours; exit 3'];
    const command = startMemsurge('run', '--native', 'off', '--view', '-o', output, '--', ...program);
    const ended = await visit(onStderr(command), 'SIGINT');
    expect(ended.traces.map(({ name }) => name)).toEqual(['run.memsurge']);
    expect(ended.stdout).toBe('ours\n');
    expect(ended.status).toBe(3);
  });

  test('says how to look at the trace', async () => {
    const output = join(folder, 'next.memsurge');
    const { stderr } = await memsurge('run', '--native', 'off', '-o', output, '--', 'true');
    expect(stderr).toContain(`next: memsurge report ${output}, or in the browser: memsurge view ${output}\n`);
  });
});
