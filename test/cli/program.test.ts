import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { TraceError } from '../../src/trace/errors.ts';

async function run(
  args: readonly string[],
  open: Shell['open'] = async () => Promise.reject(new TraceError('no trace')),
) {
  let out = '';
  let err = '';
  const shell: Shell = {
    open,
    out: (text) => {
      out += `${text}\n`;
    },
    err: (text) => {
      err += `${text}\n`;
    },
    width: 80,
    colors: pc.createColors(false),
  };
  const code = await runProgram(args, shell, '1.2.3');
  return { out, err, code };
}

const BUILT = `"${process.execPath}" "${fileURLToPath(new URL('../../bin/memsurge.js', import.meta.url))}"`;

describe('wrong usage is one line on stderr and exit code 2', () => {
  test.each([
    [['tpo', 'x'], `memsurge: unknown command 'tpo' (Did you mean top?) (see "memsurge --help")\n`],
    [['tpo', '--help'], `memsurge: unknown command 'tpo' (Did you mean top?) (see "memsurge --help")\n`],
    [['top'], `memsurge: missing required argument 'trace' (see "memsurge top --help")\n`],
    [
      ['heap', 'x', '--limti', '3'],
      `memsurge: unknown option '--limti' (Did you mean --limit?) (see "memsurge heap --help")\n`,
    ],
    [
      ['code', 'x', 'F', '--to', 'soon'],
      /^memsurge: option '--to <time>' argument 'soon' is invalid\. Give a number.*\n$/,
    ],
    [['tree', 'x'], 'memsurge: no trace\n'],
  ])('%j', async (args, line) => {
    const { out, err, code } = await run(args);
    if (typeof line === 'string') expect(err).toBe(line);
    else expect(err).toMatch(line);
    expect({ out, code }).toEqual({ out: '', code: 2 });
  });

  test('an unexpected error is one line too', async () => {
    const { err, code } = await run(['top', 'x'], async () => Promise.reject(new RangeError('bad\nluck')));
    expect(err).toBe('memsurge: unexpected error: bad (set MEMSURGE_DEBUG=1 for the stack)\n');
    expect(code).toBe(2);
  });
});

test('help and version are no errors, and every command has examples', async () => {
  expect(await run(['--version'])).toEqual({ out: '1.2.3\n', err: '', code: 0 });
  for (const command of ['run', 'attach', 'ps', 'report', 'top', 'tree', 'code', 'heap', 'timeline', 'view']) {
    const { out, code } = await run([command, '--help']);
    expect(out).toContain(`Examples:\n  memsurge ${command}`);
    expect(code).toBe(0);
  }
});

test('a reader that goes away ends the built program quietly', () => {
  const { stderr } = spawnSync('sh', ['-c', `${BUILT} top --help | true`], { encoding: 'utf8' });
  expect(stderr).toBe('');
});

test('an answer that cannot be written is one line and exit code 2', () => {
  const { stderr, status } = spawnSync('sh', ['-c', `${BUILT} top --help > /dev/full`], { encoding: 'utf8' });
  expect(stderr).toMatch(/^memsurge: cannot write the answer: .*\n$/);
  expect(status).toBe(2);
});
