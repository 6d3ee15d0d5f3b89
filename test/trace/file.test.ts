import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceError } from '../../src/trace/errors.ts';
import { openTraceFile, packFolder } from '../../src/trace/file.ts';
import { type Manifest, writeManifest } from '../../src/trace/manifest.ts';
import { TRACE_FILE_VERSION } from '../../src/trace/part-names.ts';

const MANIFEST: Manifest = {
  format: 'memsurge',
  version: TRACE_FILE_VERSION,
  tool: 'memsurge test',
  state: 'recording',
  mode: 'run',
  command: ['shop', '--port', '1'],
  startedAt: 1_700_000_000_000,
  startTime: 5e9,
  processes: [
    {
      id: '7',
      pid: 7,
      parentPid: 1,
      name: 'shop',
      commandLine: 'shop --port 1',
      runtime: '.NET 10.0.12',
      startTime: 5e9,
      streams: ['streams/7.nettrace'],
      native: [],
    },
  ],
  warnings: [],
  blindSpots: [],
};

const STREAM = new Uint8Array(3_000_000).map((_, i) => (i * 2_654_435_761) >>> 24);

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'memsurge-file-'));
});
afterAll(() => rm(scratch, { recursive: true }));

async function recordingFolder(name: string, manifest: Manifest = MANIFEST): Promise<string> {
  const folder = join(scratch, name);
  await mkdir(join(folder, 'streams'), { recursive: true });
  await writeManifest(folder, manifest);
  await writeFile(join(folder, 'streams', '7.nettrace'), STREAM);
  return folder;
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test('of an unfinished recording has the streams that its manifest does not name yet, of processes that it names', async () => {
  const unnamed = { ...MANIFEST, processes: [{ ...MANIFEST.processes[0], streams: [] }] };
  const folder = await recordingFolder('unnamed', unnamed);
  for (const name of ['7-symbols', '7-2', '8']) await writeFile(join(folder, 'streams', `${name}.nettrace`), STREAM);
  const { manifest } = await openTraceFile(folder);
  expect(manifest.processes[0].streams.sort()).toEqual(['streams/7-symbols.nettrace', 'streams/7.nettrace']);
});

describe('a trace file', () => {
  test('is the same as a folder and as a packed file', async () => {
    const folder = await recordingFolder('same');
    const output = join(scratch, 'same.memsurge');
    for (const path of [folder, output]) {
      const file = await openTraceFile(path);
      expect(file.manifest).toEqual(MANIFEST);
      expect([...file.parts].sort()).toEqual(['manifest.json', 'streams/7.nettrace']);
      expect(file.size('streams/7.nettrace')).toBe(STREAM.length);
      expect((await bytesOf(file.stream('streams/7.nettrace'))).equals(STREAM)).toBe(true);
      expect(JSON.parse(await file.read('manifest.json'))).toEqual(MANIFEST);
      await file.close();
      if (path === folder) await packFolder(folder, output);
    }
    expect(existsSync(folder)).toBe(false);
  });

  test('keeps the folder when the packed file cannot be written', async () => {
    const folder = await recordingFolder('kept');
    await expect(packFolder(folder, join(scratch, 'no-such-folder', 'x.memsurge'))).rejects.toThrow(/nothing is lost/);
    expect((await openTraceFile(folder)).manifest).toEqual(MANIFEST);
  });

  test('of a newer version is refused with a clear line', async () => {
    const folder = await recordingFolder('newer', { ...MANIFEST, version: TRACE_FILE_VERSION + 1 });
    await expect(openTraceFile(folder)).rejects.toThrow(/trace format 3, this memsurge reads up to 2; update memsurge/);
  });

  test('that is no memsurge trace is refused', async () => {
    const path = join(scratch, 'foreign.memsurge');
    await writeFile(path, 'not a zip at all');
    await expect(openTraceFile(path)).rejects.toThrow(TraceError);
    const empty = join(scratch, 'empty-folder');
    await mkdir(empty);
    await expect(openTraceFile(empty)).rejects.toThrow(/not a memsurge recording/);
  });

  test('that is damaged anywhere gives its bytes or a TraceError, never anything else', async () => {
    const output = join(scratch, 'fuzz.memsurge');
    await packFolder(await recordingFolder('fuzz'), output);
    const whole = await readFile(output);
    const damagedPath = join(scratch, 'damaged.memsurge');
    let refused = 0;
    for (let i = 0; i < 150; i++) {
      const bytes = Buffer.from(whole);
      // Alternately cut the file and flip a byte, most often in the directory at its end.
      const at = i % 3 === 0 ? Math.floor((whole.length * i) / 150) : whole.length - 1 - ((i * 7) % 400);
      if (i % 2 === 0) bytes[at] ^= 0xff;
      await writeFile(damagedPath, i % 2 === 0 ? bytes : bytes.subarray(0, at));
      try {
        const file = await openTraceFile(damagedPath);
        for (const part of file.parts) await bytesOf(file.stream(part));
        await file.close();
      } catch (error) {
        expect(error).toBeInstanceOf(TraceError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(75);
  });
});
