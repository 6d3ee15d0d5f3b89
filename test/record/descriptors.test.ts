import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder, start } from '../support/memsurge.ts';

const folder = await scratchFolder();
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');
let number = 0;
const recorded = (...program: string[]) => [
  process.execPath,
  BIN,
  'run',
  '-o',
  join(folder, `t${number++}.memsurge`),
  '--',
  ...program,
];

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('files, pipes and null devices keep their numbers, with holes between them, and no other is open', async () => {
  const script = file('open.sh', 'exec 3<"$0" 5>/dev/null 7</dev/null 9< <(sleep 0.1) 10<"$0" 20<"$0" 300<"$0"; "$@"');
  const program = ['ls', '/proc/self/fd'];
  const alone = await start('bash', [script, ...program]).finished;
  expect(alone.stdout.split('\n')).toEqual(expect.arrayContaining(['3', '5', '7', '9', '10', '20', '300']));
  const { stdout } = await start('bash', [script, ...recorded(...program)]).finished;
  expect(stdout).toBe(alone.stdout);
});

test('process substitution', async () => {
  const script = file('substitute.sh', '"$@" <(echo one) <(echo two)');
  const { stdout, status } = await start('bash', [script, ...recorded('cat')]).finished;
  expect([status, stdout]).toEqual([0, 'one\ntwo\n']);
});

// Both ends of make's pipe are inherited, as Node has both ends of its own.
test("make's jobserver: a recorded make runs its jobs beside each other", async () => {
  const makefile = file(
    'Makefile',
    `all:\n\t+@$(RECORD) $(MAKE) --no-print-directory -f ${join(folder, 'Makefile')} one two\n` +
      'one two:\n\t@touch $@.here; for i in `seq 600`; do [ -e one.here ] && [ -e two.here ] && echo $@ met && exit; sleep 0.1; done; exit 1\n',
  );
  const args = ['-C', folder, '--no-print-directory', '-f', makefile, '-j2', `RECORD=${recorded().join(' ')}`];
  const { stdout, stderr, status } = await start('make', args).finished;
  expect([status, stdout.trim().split('\n').sort()]).toEqual([0, ['one met', 'two met']]);
  expect(stderr).not.toContain('jobserver');
});

test('socket activation: the socket is at 3, and LISTEN_PID is the program', async () => {
  const activate = file(
    'activate.py',
    'import os, socket, sys\n' +
      'listener = socket.socket()\nlistener.bind(("127.0.0.1", 0))\nlistener.listen()\n' +
      'client = socket.create_connection(listener.getsockname())\n' +
      'if os.fork() == 0:\n' +
      '  os.dup2(listener.fileno(), 3)\n  os.set_inheritable(3, True)\n' +
      '  os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))\n' +
      '  os.execvp(sys.argv[1], sys.argv[1:])\n' +
      'listener.close()\nprint(client.makefile().read(), end="")\nos.wait()\n',
  );
  const server = file(
    'server.py',
    'import os, socket\nassert os.environ["LISTEN_PID"] == str(os.getpid())\n' +
      'connection, _ = socket.socket(fileno=3).accept()\nconnection.sendall(b"served\\n")\n',
  );
  const { stdout, stderr } = await start('/usr/bin/python3', [activate, ...recorded('/usr/bin/python3', server)])
    .finished;
  expect(stderr).toMatch(/^memsurge: wrote [^\n]*\n$/);
  expect(stdout).toBe('served\n');
});

test('nobody but the program holds them: what it closes is closed', async () => {
  const [command, ...args] = recorded('sh', '-c', 'echo question >&8; exec 8>&-; cat <&9');
  const stdio = Array.from({ length: 10 }, (_, fd) => (fd < 3 || fd > 7 ? ('pipe' as const) : ('ignore' as const)));
  const child = spawn(command, args, { stdio });
  const [stdout, question, answer] = [1, 8, 9].map((fd) => (child.stdio as unknown as Socket[])[fd]);
  let asked = '';
  question.on('data', (text) => {
    asked += text;
  });
  // Who answers waits for the end of the question.
  question.on('end', () => answer.end(`you said ${asked}`));
  let said = '';
  stdout.on('data', (text) => {
    said += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  expect(said).toBe('you said question\n');
});

test('the limit of open files is the one that memsurge was started with', async () => {
  const script = file('limit.sh', 'ulimit -Sn 500; "$@"');
  const { stdout } = await start('bash', [script, ...recorded('sh', '-c', 'ulimit -Sn')]).finished;
  expect(stdout).toBe('500\n');
});
