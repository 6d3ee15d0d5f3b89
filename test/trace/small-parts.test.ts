import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import yazl from 'yazl';
import { openTraceFile, packFolder } from '../../src/trace/file.ts';
import type { Manifest } from '../../src/trace/manifest.ts';
import { scratchFolder } from '../support/memsurge.ts';

const folder = await scratchFolder();

const manifest = (processes: number): Manifest => ({
  format: 'memsurge',
  version: 2,
  tool: 'test',
  state: 'complete',
  mode: 'run',
  command: [],
  startedAt: 0,
  startTime: 0,
  processes: Array.from({ length: processes }, (_, n) => ({
    id: `${n}`,
    pid: n,
    parentPid: 0,
    name: 'child',
    commandLine: '',
    runtime: '',
    startTime: 0,
    streams: [],
    native: [`native/${n}.agent`],
  })),
  warnings: [],
  blindSpots: [],
});

test('a recording of many processes is packed into few entries, and every part reads as it was', async () => {
  const source = join(folder, 'source');
  for (const room of ['process', 'native', 'streams']) mkdirSync(join(source, room), { recursive: true });
  writeFileSync(join(source, 'manifest.json'), JSON.stringify(manifest(900)));
  for (let n = 0; n < 900; n++) {
    writeFileSync(join(source, 'process', `${n}.csv`), `${n}`.repeat(n % 7));
    // One of them is large, and some fill more than a bundle.
    writeFileSync(join(source, 'native', `${n}.agent`), Buffer.alloc(n === 5 ? 100_000 : 20_000, n));
  }
  writeFileSync(join(source, 'streams', '7.nettrace'), 'stream');
  const kept = join(folder, 'kept');
  cpSync(source, kept, { recursive: true });
  const output = join(folder, 'many.memsurge');
  await packFolder(source, output);
  const zip = await readFile(output, 'latin1');
  expect(zip.match(/PK\x01\x02/g)?.length).toBeLessThan(12);

  const [file, before] = await Promise.all([openTraceFile(output), openTraceFile(kept)]);
  expect([...file.parts]).toEqual(expect.arrayContaining([...before.parts]));
  for (const part of [...file.parts].filter((name) => before.parts.has(name))) {
    const wanted = await before.bytes(part);
    expect(file.size(part), part).toBe(wanted.length);
    expect(Buffer.compare(await file.bytes(part), wanted), part).toBe(0);
    const chunks = [];
    for await (const chunk of file.stream(part)) chunks.push(chunk);
    expect(Buffer.concat(chunks).length, part).toBe(wanted.length);
  }
  await file.close();
});

test.each([
  ['no JSON', 'nonsense'],
  ['another shape', '{"a":1}'],
  ['a negative size', '[[["process/0.csv",-5]]]'],
  ['more than there is', '[[["process/0.csv",5000]]]'],
  ['a bundle that is not there', '[[],[["process/0.csv",1]]]'],
])('a damaged index is one sentence: %s', async (_, index) => {
  const path = join(folder, `${index.length}.memsurge`);
  const zip = new yazl.ZipFile();
  zip.addBuffer(Buffer.from(JSON.stringify(manifest(1))), 'manifest.json', { compress: false });
  zip.addBuffer(Buffer.from(index), 'small-parts.json');
  zip.addBuffer(Buffer.from('abc'), 'small-parts/0');
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  writeFileSync(path, Buffer.concat(chunks));
  const read = openTraceFile(path).then((file) => file.read('process/0.csv'));
  await expect(read).rejects.toMatchObject({ name: 'TraceError', message: expect.stringContaining(path) });
});
