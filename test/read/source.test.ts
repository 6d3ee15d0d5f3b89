import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findSource } from '../../src/read/source.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { scratchFolder } from '../support/memsurge.ts';

const folder = await scratchFolder();
const path = join(folder, 'Program.cs');

const traceNaming = (file: string, text?: string): Trace => {
  const trace = traceFromText(`1ms  main  soh  Type  10  app!Main (${file}:2)`);
  return { ...trace, files: { ...trace.files, text: [text] } };
};
const find = (trace: Trace, wanted: string, lastLine = 2) =>
  findSource(trace, { function: 'Main', path: wanted, lastLine, rows: [] });

test('the text in the trace comes first, else that on the disk', async () => {
  expect(await find(traceNaming(path, 'in\nthe trace'), path)).toEqual({ lines: ['in', 'the trace'], warnings: [] });
  writeFileSync(path, 'on\r\nthe disk');
  expect(await find(traceNaming(path), path)).toEqual({ lines: ['on', 'the disk'], warnings: [] });
});

test('a file that ends before the function does has changed', async () => {
  writeFileSync(path, 'one\ntwo');
  expect((await find(traceNaming(path), path, 3)).warnings).toEqual([
    `${path} has changed since it was built: it ends before line 3`,
  ]);
});

test('only what the trace names is read', async () => {
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  for (const other of [join(folder, 'secret.txt'), '/etc/passwd', `${path}/../secret.txt`]) {
    const { lines, warnings } = await find(traceNaming(path), other);
    expect(lines).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('the trace does not name it')]);
  }
});

test('only a regular file of a size that a person reads', async () => {
  const pipe = join(folder, 'pipe.cs');
  execFileSync('mkfifo', [pipe]);
  mkdirSync(join(folder, 'folder.cs'));
  const large = join(folder, 'large.cs');
  writeFileSync(large, '');
  truncateSync(large, (16 << 20) + 1);
  for (const [file, reason] of [
    [pipe, 'not a regular file'],
    [join(folder, 'folder.cs'), 'not a regular file'],
    [large, 'larger than 16 MiB'],
    [join(folder, 'gone.cs'), 'no such file'],
  ]) {
    const { lines, warnings } = await find(traceNaming(file), file);
    expect(lines).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(`looked in the trace and at ${file} (`)]);
    expect(warnings[0]).toContain(reason);
  }
});

test('without a path it says why there is none', async () => {
  expect((await find(traceNaming(path), '')).warnings).toEqual([
    'no source file is known for Main: its module had no symbols (PDB) when it was recorded',
  ]);
});
