import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findSource } from '../../src/read/source.ts';
import { checksumOf } from '../../src/trace/checksum.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { scratchFolder } from '../support/memsurge.ts';

const folder = await scratchFolder();
const path = join(folder, 'Program.cs');

const traceNaming = (file: string, text?: string, checksum?: string): Trace => {
  const trace = traceFromText(`1ms  main  soh  Type  10  app!Main (${file}:2)`);
  return { ...trace, files: { ...trace.files, text: [text], checksum: [checksum] } };
};
const find = (trace: Trace, wanted: string, lastLine = 2, roots: string[] = []) =>
  findSource(trace, { function: 'Main', path: wanted, lastLine, rows: [] }, roots);
/** As a trace that was recorded when the file held `text`. */
const traceOf = (text: string, algorithm?: string) =>
  traceNaming(path, undefined, checksumOf(Buffer.from(text), algorithm));

test('the text in the trace comes first, else that on the disk', async () => {
  expect(await find(traceNaming(path, 'in\nthe trace'), path)).toEqual({ lines: ['in', 'the trace'], warnings: [] });
  const text = 'on\r\nthe disk';
  writeFileSync(path, text);
  for (const algorithm of ['sha256', 'sha1', 'md5'])
    expect(await find(traceOf(text, algorithm), path)).toEqual({ lines: ['on', 'the disk'], warnings: [] });
});

test('a file that changed is not shown, unless its folder was named', async () => {
  writeFileSync(path, 'one\ntwo');
  for (const roots of [[], ['/etc'], [join(folder, 'Program')]]) {
    const { lines, warnings } = await find(traceOf('one\nTWO'), path, 2, roots);
    expect(lines).toBeUndefined();
    expect(warnings).toEqual([
      `${path} has changed since it was built, so it is not shown${
        roots.length === 0
          ? '; to see it all the same, name its folder with --source-root'
          : `, and nothing at the end of that path lies below ${roots}`
      }`,
    ]);
  }
  expect((await find(traceOf('one\nTWO'), path, 2, [folder])).lines).toEqual(['one', 'two']);
});

test('a file that a trace names without a checksum is not shown, whoever can read it', async () => {
  for (const name of ['/etc/shadow', '/etc/passwd', path]) {
    const { lines, warnings } = await find(traceNaming(name), name);
    expect(lines).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/is not shown: the trace has no checksum of it|source not found/)]);
  }
  const unknown = await find(traceNaming(path, undefined, 'crc32:00'), path);
  expect(unknown.lines).toBeUndefined();
});

test('a link out of a folder that was named is not below it', async () => {
  const inside = join(folder, 'inside');
  mkdirSync(inside);
  const link = join(inside, 'link.cs');
  symlinkSync('/etc/passwd', link);
  expect((await find(traceNaming(link), link, 2, [inside])).lines).toBeUndefined();
});

describe('a source that was moved is found below a folder that was named', () => {
  const here = join(folder, 'checkout');
  const moved = join(here, 'lib', 'Orders.cs');
  mkdirSync(join(here, 'lib'), { recursive: true });
  writeFileSync(moved, 'one\ntwo');
  const at = async (recorded: string, text?: string, root = here) =>
    find(traceNaming(recorded, undefined, text && checksumOf(Buffer.from(text))), recorded, 2, [root]);

  test('by the longest tail of its path that exists there', async () => {
    for (const recorded of ['/build/src/lib/Orders.cs', 'C:\\build\\lib\\Orders.cs', '/b/../x/../lib/./Orders.cs'])
      expect((await at(recorded)).lines, recorded).toEqual(['one', 'two']);
    writeFileSync(join(here, 'Orders.cs'), 'another\nof the name');
    expect((await at('/build/src/lib/Orders.cs')).lines).toEqual(['one', 'two']);
    expect((await at('/build/src/Orders.cs')).lines).toEqual(['another', 'of the name']);
  });

  test('by its checksum, where it has one, before a longer tail', async () => {
    const recorded = '/build/src/lib/Orders.cs';
    expect((await at(recorded, 'another\nof the name')).lines).toEqual(['another', 'of the name']);
    expect((await at(recorded, 'neither of them')).lines).toEqual(['one', 'two']);
  });

  test('never outside of it, and never what only root reads', async () => {
    writeFileSync(join(folder, 'outside.cs'), 'outside');
    symlinkSync(join(folder, 'outside.cs'), join(here, 'way-out.cs'));
    writeFileSync(join(here, 'secret.cs'), 'secret', { mode: 0o600 });
    const isRoot = process.getuid?.() === 0;
    const names = ['/a/../outside.cs', '/a/way-out.cs', '..\\outside.cs', ...(isRoot ? ['/a/secret.cs'] : [])];
    for (const recorded of names) {
      const { lines, warnings } = await at(recorded);
      expect(lines, recorded).toBeUndefined();
      expect(warnings).toEqual([expect.stringContaining(`below ${here};`)]);
    }
    if (isRoot) expect((await at('/a/secret.cs', 'secret')).lines).toEqual(['secret']);
  });

  test('and where it was looked for is said', async () => {
    expect((await at('/build/gone.cs')).warnings).toEqual([
      expect.stringMatching(
        `^source not found: looked in the trace and at /build/gone.cs \\(.*no such file.*\\) and for the end of that path below ${here};`,
      ),
    ]);
  });
});

test('a file that ends before the function does has changed', async () => {
  writeFileSync(path, 'one\ntwo');
  expect((await find(traceNaming(path), path, 3, [folder])).warnings).toEqual([
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
    'no source file is known for Main: its module had no symbols (PDB) when it was recorded, or none of this code',
  ]);
});
