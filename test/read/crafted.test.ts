import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import yazl from 'yazl';
import { HEADER, MAGIC, SECTION_ENTRY_BYTES, SECTIONS, VERSION } from '../../src/read/agent/layout.ts';
import { checkTrace, openTrace } from '../../src/read/open.ts';
import { imageRow } from '../../src/read/procfs/parts.ts';
import { TraceError } from '../../src/trace/errors.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { writeRecording } from '../support/traces.ts';

/** Traces that somebody made up, to hang or to blow up whoever opens them, or to make them read another's files. */
const folder = await scratchFolder();
let made = 0;
const fresh = (name = 'trace') => join(folder, `${name}-${made++}`);

/** A recording's folder, with its manifest changed. */
function recording(change: (manifest: Record<string, unknown> & { processes: Record<string, unknown>[] }) => void) {
  const path = writeRecording(folder, `recording-${made++}`);
  const manifest = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
  change(manifest);
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
  return path;
}

const withAgent = () =>
  recording(({ processes: [process] }) => {
    process.native = ['native/7-1.agent'];
  });

type Parts = readonly (readonly [name: string, content: Buffer])[];

/** A zip of these parts, behind the manifest of a recording. */
async function zipped(...parts: Parts): Promise<string> {
  const zip = new yazl.ZipFile();
  zip.addBuffer(
    readFileSync(
      join(
        recording(() => {}),
        'manifest.json',
      ),
    ),
    'manifest.json',
    { compress: false },
  );
  for (const [name, content] of parts) zip.addBuffer(content, name);
  zip.end();
  const path = `${fresh()}.memsurge`;
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

/** The warnings of a trace that opens, or the line that refuses it. */
async function said(path: string): Promise<string> {
  try {
    return (await openTrace(path)).recording.warnings.join('\n');
  } catch (error) {
    expect(error).toBeInstanceOf(TraceError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
}

const pipe = (...path: string[]) => execFileSync('mkfifo', [join(...path)]);

describe('what is no file is not waited for', () => {
  test('as the trace itself', async () => {
    const path = fresh();
    pipe(path);
    for (const other of [path, '/dev/zero', '/dev/tty']) expect(await said(other)).toMatch(/is not a regular file/);
    expect(await said('/proc/self/maps')).toMatch(/is empty/);
    expect(await said('/')).toMatch(/not a memsurge recording/);
    await expect(checkTrace(path)).rejects.toThrow(TraceError);
  });

  test('as a part of a folder', async () => {
    const path = recording(() => {});
    rmSync(join(path, 'streams', '7.nettrace'));
    pipe(path, 'streams', '7.nettrace');
    rmSync(join(path, 'process', '7.csv'));
    symlinkSync('/dev/zero', join(path, 'process', '7.csv'));
    expect(await said(path)).toMatch(/has no part streams\/7\.nettrace/);
    rmSync(join(path, 'manifest.json'));
    pipe(path, 'manifest.json');
    expect(await said(path)).toMatch(/no readable manifest\.json \(it is not a regular file\)/);
  });

  test("as an agent's file", async () => {
    const path = withAgent();
    mkdirSync(join(path, 'agents'));
    pipe(path, 'agents', '7-1.agent');
    expect(await said(path)).toMatch(/7-1\.agent \(it is not a regular file\)/);
  });
});

test('parts that the manifest makes up lead nowhere', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'MEMSURGE secret');
  const path = recording(({ processes: [process] }) => {
    process.streams = ['../secret', secret];
    process.native = ['native/../../secret', `/${secret}`];
  });
  const text = await said(path);
  for (const part of ['../secret', secret, 'native/../../secret', `/${secret}`])
    expect(text).toContain(`has no part ${part};`);
});

test('what the manifest names twice does not count twice', async () => {
  const parts = recording(({ processes: [process] }) => {
    process.native = ['native/7.agent', 'native/7.agent'];
  });
  expect(await said(parts)).toContain('a part is in it twice');
  const processes = recording((manifest) => {
    manifest.processes.push(manifest.processes[0]);
  });
  expect(await said(processes)).toContain('a process is in it twice');
});

test("a process's name for its parts is no path", async () => {
  const path = recording(({ processes: [process] }) => {
    process.id = '../../7';
  });
  expect(await said(path)).toMatch(/manifest is not valid \(processes\.0\.id/);
});

test('rows that are not read are said to be missing', async () => {
  const path = recording(() => {});
  const image = imageRow(1e12, 0x7f00_0000_0000, 0x7f00_0000_1000, '/lib/a.so');
  writeFileSync(join(path, 'process', '7.images.csv'), image.repeat(2 ** 16));
  expect(await said(path)).not.toMatch(/rows/);
  writeFileSync(join(path, 'process', '7.images.csv'), image.repeat(2 ** 16 + 1));
  expect(await said(path)).toMatch(/fixture \(7\): process\/7\.images\.csv has more than 65536 rows, .* is missing/);
});

test('more processes than any recorder keeps are refused', async () => {
  const path = recording((manifest) => {
    const [process] = manifest.processes;
    manifest.processes = Array.from({ length: 20_001 }, (_, i) => ({ ...process, id: `${i}`, streams: [] }));
  });
  expect(await said(path)).toMatch(/the manifest is not valid \(processes: more than 20000 processes\)/);
});

test('times that no clock shows are refused', async () => {
  const path = recording(() => {});
  const file = join(path, 'manifest.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"endTime":\d+/, '"endTime":1e999'));
  expect(await said(path)).toMatch(/manifest is not valid \(processes\.0\.endTime|manifest is not valid \(endTime/);
});

describe('a zip', () => {
  const row = Buffer.from('1,1\n');

  test('whose parts unpack to more than any recording', async () => {
    const path = await zipped(['process/7.csv', Buffer.alloc(70 << 20, row)]);
    expect(await said(path)).toMatch(/process\/7\.csv \(\d+ bytes would unpack to 73400320, which no recording does\)/);
  });

  test('with more values than fit into memory', async () => {
    const path = await zipped(['symbols.json', Buffer.from(`[${'[],'.repeat(9_000_000)}0]`)]);
    expect(await said(path)).toMatch(/symbols\.json is damaged \(more than 8000000 values\)/);
  });

  test('with two parts of a name', async () => {
    expect(await said(await zipped(['a', row], ['a', row]))).toMatch(/it holds two parts a\)/);
  });

  test('with a part that is not what was packed', async () => {
    const path = await zipped(['symbols.json', Buffer.from(JSON.stringify({ version: 1 }))]);
    const bytes = readFileSync(path);
    bytes[bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 16] ^= 1;
    writeFileSync(path, bytes);
    expect(await said(path)).toMatch(/symbols\.json \(its checksum is another\)/);
  });

  test('whose parts are all the same bytes', async () => {
    const many = Array.from({ length: 50 }, (_, i) => [`process/${i}.csv`, row] as const);
    const path = await zipped(...many, [
      'process/50.csv',
      Buffer.from(Array.from({ length: 5000 }, (_, i) => i * 7919).join()),
    ]);
    const bytes = readFileSync(path);
    const entries: number[] = [];
    for (let at = bytes.readUInt32LE(bytes.length - 6); bytes.readUInt32LE(at) === 0x02014b50; ) {
      entries.push(at);
      at += 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    }
    const last = entries.at(-1)!;
    for (const entry of entries.slice(1)) {
      bytes.copy(bytes, entry + 16, last + 16, last + 28);
      bytes.copy(bytes, entry + 42, last + 42, last + 46);
    }
    writeFileSync(path, bytes);
    expect(await said(path)).toMatch(/is damaged \(its parts overlap\)/);
  });
});

test('a sparse agent file that claims all rows there can be', async () => {
  const path = withAgent();
  const header = Buffer.alloc(4096);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(VERSION, HEADER.version);
  for (let i = 0; i < SECTIONS.length; i++) {
    header.writeUInt32LE(4096, HEADER.sections + i * SECTION_ENTRY_BYTES);
    header.writeUInt32LE(0xffff_ffff, HEADER.sections + i * SECTION_ENTRY_BYTES + 20);
  }
  mkdirSync(join(path, 'agents'));
  const file = join(path, 'agents', '7-1.agent');
  writeFileSync(file, header);
  truncateSync(file, 2 ** 40);
  const before = process.memoryUsage().arrayBuffers;
  await said(path);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e9);
});
