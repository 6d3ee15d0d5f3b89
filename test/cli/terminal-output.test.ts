import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memsurge, scratchFolder, start, until } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';

const folder = await scratchFolder();
const BIN = join(import.meta.dirname, '../../bin/memsurge.js');
/** What a command prints on a terminal of 100 columns. */
const onTerminal = async (command: string) =>
  (await start('script', ['-qec', `stty cols 100; ${command}`, '/dev/null']).finished).stdout;

test('the spinner has a colour, and none with NO_COLOR', async () => {
  const trace = join(folder, 'hello.memsurge');
  await memsurge('run', '-o', trace, '--', samplePath('hello'));
  const report = `${process.execPath} ${BIN} report ${trace}`;
  const colour = /\x1b\[[0-9;]*m/;
  expect(await onTerminal(`env -u NO_COLOR TERM=xterm ${report}`)).toMatch(colour);
  const plain = await onTerminal(`NO_COLOR=1 TERM=xterm FORCE_COLOR=1 ${report}`);
  expect(plain).toContain('reading');
  expect(plain).not.toMatch(colour);
});

test('the live line leaves out what is not known yet', async () => {
  const { child, output } = start(samplePath('spawner'), ['child', 'wait']);
  await until(() => output().includes('child ready'));
  const attach = `attach ${child.pid} --duration 2s -o ${join(folder, 'live.memsurge')}`;
  const line = await onTerminal(`${process.execPath} ${BIN} ${attach}`);
  child.kill();
  expect(line).toMatch(/memsurge: \d+ s {2}RSS \d+ MiB/);
  expect(line).not.toContain('NaN');
});
