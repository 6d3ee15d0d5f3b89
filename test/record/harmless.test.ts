import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge, scratchFolder, start } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { whyNoNativeSamples } from '../support/samples.ts';

// Whatever a program does with its limits and its rights: what it prints and how it ends is the same recorded as alone.

const folder = await scratchFolder();
const unable = whyNoNativeSamples();
const MODES = ['sampled', 'exact'] as const;
let made = 0;
const fresh = () => join(folder, `${++made}.memsurge`);

/** Addresses differ from run to run. */
const comparable = (text: string) => text.replace(/0x[0-9a-f]+/g, 'ADDRESS');

async function sameAsAlone(command: readonly string[], mode: string): Promise<void> {
  const alone = await start(command[0], command.slice(1)).finished;
  const recorded = await memsurge('run', '--native', mode, '-o', fresh(), '--', ...command);
  const signal = alone.signal === null ? undefined : 128 + (SIGNALS[alone.signal] ?? 0);
  expect({ status: recorded.status, stdout: comparable(recorded.stdout) }).toEqual({
    status: signal ?? alone.status,
    stdout: comparable(alone.stdout),
  });
}
const SIGNALS: Readonly<Record<string, number>> = { SIGABRT: 6, SIGSEGV: 11, SIGTERM: 15 };

describe.skipIf(unable !== undefined)(`recorded as alone${unable ? ` (${unable})` : ''}`, () => {
  const built = join(ROOT, '.build', 'agent', 'test');
  if (unable === undefined)
    execFileSync('make', ['--silent', '-C', join(ROOT, 'agent'), 'programs'], { stdio: 'pipe' });
  const cases = ['strict', 'allow_fewer', 'deny_kill', 'deny_trap', 'all_threads', 'by_argument', 'wide', 'no_tsc'];

  test.each(cases.flatMap((one) => MODES.map((mode) => [one, mode] as const)))('sandbox %s, %s', async (name, mode) => {
    await sameAsAlone([join(built, 'sandbox'), name], mode);
  });

  test('a limit on address space, set before and by the program', async () => {
    const core = join(built, 'core');
    for (const mode of MODES) {
      for (const kib of [1_000_000, 200_000]) await sameAsAlone(['sh', '-c', `ulimit -v ${kib}; ${core} family`], mode);
      await sameAsAlone([core, 'limited'], mode);
    }
  });

  test('blocks that a sandboxed program made after its file was full are named as missing', async () => {
    const output = fresh();
    await memsurge('run', '--native', 'exact', '-o', output, '--', join(built, 'sandbox'), 'by_argument');
    const { stdout, stderr } = await memsurge('report', output);
    expect(stdout + stderr).toMatch(
      /could not grow \(the program gave up the system calls for that: seccomp\), so \d+ blocks/,
    );
  });
});

const sanitizers = ['address', 'thread'].map((name) => {
  const source = join(folder, `${name}.c`);
  const program = join(folder, name);
  writeFileSync(
    source,
    '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { free(malloc(9)); puts("here"); return 3; }\n',
  );
  const { status } = spawnSync('cc', [`-fsanitize=${name}`, '-o', program, source]);
  const works = status === 0 && spawnSync(program).status === 3;
  return { name, program, works };
});

describe.each(sanitizers)('a program built with -fsanitize=$name', ({ program, works }) => {
  test.skipIf(!works || unable !== undefined)('starts as it does alone, without the agent', async () => {
    const output = fresh();
    const { status, stdout, stderr } = await memsurge('run', '-o', output, '--', program);
    expect([status, stdout]).toEqual([3, 'here\n']);
    expect(stderr).toMatch(/^memsurge: native memory of programs that are built with a sanitizer cannot be recorded, /);
    expect((await openTraceFile(output)).manifest.processes.length).toBe(1);
    const refused = await memsurge('run', '--native', 'exact', '-o', fresh(), '--', program);
    expect([refused.status, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/built with a sanitizer .*; use --native off\n$/);
  });

  test.skipIf(!works || unable !== undefined)('starts as it does alone below one that is recorded', async () => {
    const command = ['sh', '-c', `${program}; echo $?; env ${program}; echo $?; sort /dev/null`];
    for (const mode of MODES) await sameAsAlone(command, mode);
  });
});

const cases = process.env.MEMSURGE_CASES;
const compat = cases === undefined ? '' : join(cases, 'attack', 'compat.cpp');

/** Each with its arguments; not those that need a file, a signal or a terminal of their own, and not `fds`. */
const WORDS = [
  ...['basic', 'closeall', 'sigalloc', 'stackoverflow', 'deep', 'deepmany', 'seccomp-strict', 'seccomp-open'],
  ...['seccomp-open-nothread', 'seccomp-openerr', 'seccomp-misc', 'setuid', 'chroot', 'vfork', 'rawfork', 'clonevm'],
  ...[
    'threads 200',
    'children 200',
    'execchildren 50',
    'huge',
    'api',
    'life',
    'life quick',
    'life abort',
    'life _exit',
  ],
  ...['life mainexit', 'life segv', 'life terminate', 'exc', 'context', 'cancel', 'exec 5', 'clearenv', 'dl', 'rlimas'],
  ...['rlimfsize', 'mlockall', 'sigdfl 15', 'timerslack', 'keys', 'smallstack', 'altsmall'],
];

describe.skipIf(unable !== undefined || !existsSync(compat))('programs of MEMSURGE_CASES', () => {
  const program = join(folder, 'compat');
  if (existsSync(compat)) execFileSync('g++', ['-O1', '-g', '-w', '-pthread', '-o', program, compat]);
  test.each(WORDS.flatMap((word) => MODES.map((mode) => [word, mode] as const)))(
    'compat %s, %s',
    async (word, mode) => {
      expect(readFileSync(compat, 'utf8')).toContain(`"${word.split(' ')[0]}"`);
      await sameAsAlone([program, ...word.split(' ')], mode);
    },
  );
});
