import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge, read, scratchFolder } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';
import { agentPrograms, buildCompat, COMPAT_WORDS, MODES, SANDBOXES, sameAsAlone, whyNoCompat } from './harmless.ts';

// All of them below a shell, which takes one recording; npm run test:long has each recorded by itself.

const folder = await scratchFolder();
const unable = whyNoNativeSamples();
let made = 0;
const belowShell = (commands: readonly string[]) => [
  'sh',
  '-c',
  commands.map((command) => `${command}; echo "${command}: $?"`).join('\n'),
];
const fresh = () => join(folder, `${++made}.memsurge`);

describe.skipIf(unable !== undefined)(`recorded as alone${unable ? ` (${unable})` : ''}`, () => {
  const built = unable === undefined ? agentPrograms() : '';

  test.each(MODES)('programs that give up system calls, %s', async (mode) => {
    await sameAsAlone(belowShell(SANDBOXES.map((name) => `${join(built, 'sandbox')} ${name}`)), mode, fresh());
  });

  test('a limit on address space, set before and by the program', async () => {
    const core = join(built, 'core');
    for (const mode of MODES) {
      for (const kib of [1_000_000, 200_000])
        await sameAsAlone(['sh', '-c', `ulimit -v ${kib}; ${core} family`], mode, fresh());
      await sameAsAlone([core, 'limited'], mode, fresh());
    }
  });

  test('blocks that a sandboxed program made after its file was full are named as missing', async () => {
    const output = fresh();
    await memsurge('run', '--native', 'exact', '-o', output, '--', join(built, 'sandbox'), 'by_argument');
    const { stdout, stderr } = await read('report', output);
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
    for (const mode of MODES) await sameAsAlone(command, mode, fresh());
  });
});

describe.skipIf(unable !== undefined || whyNoCompat() !== undefined)('programs of MEMSURGE_CASES', () => {
  const program = whyNoCompat() === undefined ? buildCompat(folder) : '';
  test.each(MODES)('every word of compat, %s', async (mode) => {
    await sameAsAlone(belowShell(COMPAT_WORDS.map((word) => `${program} ${word}`)), mode, fresh());
  });
});
