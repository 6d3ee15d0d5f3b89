import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMAND, scratchFolder, start, until } from '../support/memsurge.ts';
import { nativeSamplePath } from '../support/samples.ts';
import { whyNoNamespaces } from './support.ts';

const folder = await scratchFolder();
let made = 0;
const fresh = () => join(folder, `${++made}.memsurge`);
const SHOW = ['sh', '-c', "grep -E 'SigIgn|SigBlk' /proc/self/status; env | grep -c MEMSURGE_GIVEN"];
/** Runs `command` as a shell does in the background of a script, which takes Ctrl-C away from it. */
const inBackground = (command: readonly string[]) => start('sh', ['-c', '"$@" & wait', 'sh', ...command]).finished;

test('what is ignored when memsurge starts is ignored by the program', async () => {
  for (const command of [SHOW, ['nohup', ...SHOW]]) {
    const alone = await inBackground(command);
    expect(alone.stdout).toMatch(/SigIgn:\s+0*[1-9a-f][0-9a-f]*\n/);
    const program = command[0] === 'nohup' ? ['nohup', COMMAND] : [COMMAND];
    const recorded = await inBackground([...program, 'run', '-o', fresh(), '--', ...SHOW]);
    expect(recorded.stdout).toBe(alone.stdout);
  }
});

test('nohup: a recording, and the program in it, outlive the terminal', async () => {
  const output = fresh();
  const script = 'echo up; sleep 1; echo down';
  const { child, finished, output: printed } = start('nohup', [COMMAND, 'run', '-o', output, '--', 'sh', '-c', script]);
  await until(() => printed().includes('up'));
  child.kill('SIGHUP');
  expect(await finished).toMatchObject({ status: 0, stdout: 'up\ndown\n' });
  expect(existsSync(output)).toBe(true);
});

test('nohup: an attached recording goes on without its terminal until it is told to stop', async () => {
  const target = start(nativeSamplePath('waits'), []);
  const output = fresh();
  const { child, finished } = start('nohup', [COMMAND, 'attach', String(target.child.pid), '-o', output]);
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  await until(() => said.includes('Ctrl-C stops'));
  child.kill('SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  child.kill('SIGINT');
  expect((await finished).status).toBe(0);
  target.child.kill('SIGKILL');
});

test.each([
  ['stdin', 'cat <&-'],
  ['stdout', 'cat /etc/hostname >&-'],
  ['stderr', "sh -c 'echo x >&2' 2>&-"],
  ['all', "sh -c '[ -e /proc/$$/fd/0 ] || [ -e /proc/$$/fd/1 ] || [ -e /proc/$$/fd/2 ]' <&- >&- 2>&-"],
])('a standard stream that is closed is closed in the program: %s', async (_, command) => {
  const alone = await start('sh', ['-c', command]).finished;
  expect(alone.status).toBeGreaterThan(0);
  const recorded = await start('sh', ['-c', `"$0" run -o ${fresh()} -- ${command}`, COMMAND]).finished;
  expect([recorded.status, recorded.stdout]).toEqual([alone.status, alone.stdout]);
});

test.skipIf(whyNoNamespaces() !== undefined)(
  'streams stay open in a pid namespace that sees the /proc of another (needs root)',
  async () => {
    // There memsurge is number 2, which /proc takes for a thread of the kernel, that has nothing open.
    const script = `"$0" run -o ${fresh()} -- sh -c 'cat; exit 3'; echo code $?`;
    const { child, finished } = start('unshare', ['--pid', '--fork', 'sh', '-c', script, COMMAND]);
    child.stdin?.end('said\n');
    expect((await finished).stdout).toBe('said\ncode 3\n');
  },
);

test('signals that a program handles reach it through memsurge, and none opens a port', async () => {
  const script = `trap 'echo usr1' USR1; trap 'echo usr2' USR2; trap 'echo alarm' ALRM; trap 'echo end; exit 3' TERM
    echo up; while :; do sleep 0.05; done`;
  const { child, finished, output } = start(COMMAND, ['run', '-o', fresh(), '--', 'sh', '-c', script]);
  await until(() => output().includes('up'));
  for (const [signal, word] of [
    ['SIGUSR1', 'usr1'],
    ['SIGUSR2', 'usr2'],
    ['SIGALRM', 'alarm'],
    ['SIGTERM', 'end'],
  ] as const) {
    child.kill(signal);
    await until(() => output().includes(word));
  }
  const { status, stderr } = await finished;
  expect([status, stderr]).toEqual([3, expect.not.stringContaining('Debugger')]);
});
