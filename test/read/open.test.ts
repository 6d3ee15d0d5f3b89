import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTrace } from '../../src/read/open.ts';
import { TraceError } from '../../src/trace/errors.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { memsurge, scratchFolder } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { samplePath } from '../support/samples.ts';

const folder = await scratchFolder();
const packed = join(folder, 'hello.memsurge');
let whole: Trace;

beforeAll(async () => {
  await memsurge('run', '-o', packed, '--', samplePath('exits'), 'normal');
  whole = await openTrace(packed);
});

/** The recording's parts as a folder, as a killed recorder leaves them. */
async function unpacked(name: string): Promise<string> {
  const target = join(folder, name);
  const file = await openTraceFile(packed);
  for (const part of file.parts) {
    await mkdir(join(target, part, '..'), { recursive: true });
    await pipeline(file.stream(part), createWriteStream(join(target, part)));
  }
  await file.close();
  return target;
}

const functionNames = (trace: Trace) => [...trace.functions.name].sort();

describe('a recording', () => {
  test('has names, lines, resident set, collections and how the process ended', () => {
    expect(whole.allocations.length).toBeGreaterThan(100);
    expect(whole.recording.framesUnresolved).toBe(0);
    expect(whole.files.path.some((path) => path.endsWith('/exits/Program.cs'))).toBe(true);
    expect(whole.series.map((one) => one.name)).toContain('rss');
    expect(whole.processes.exit).toEqual(['exit code 0']);
    expect(whole.processes.runtime[0]).toMatch(/^\.NET 10\./);
    for (let i = 1; i < whole.allocations.length; i++) {
      expect(whole.allocations.time[i]).toBeGreaterThanOrEqual(whole.allocations.time[i - 1]);
    }
  });

  test('opens as a folder too, and without its symbols looks them up again', async () => {
    const copy = await unpacked('no-symbols');
    expect(functionNames(await openTrace(copy))).toEqual(functionNames(whole));
    await rm(join(copy, 'symbols.json'));
    expect(functionNames(await openTrace(copy))).toEqual(functionNames(whole));
  });

  test('with damaged symbols looks them up again and says so', async () => {
    const copy = await unpacked('damaged-symbols');
    await writeFile(join(copy, 'symbols.json'), '{"version":1,');
    const trace = await openTrace(copy);
    expect(functionNames(trace)).toEqual(functionNames(whole));
    expect(trace.recording.warnings.join()).toContain('symbols.json is damaged');
  });

  test('with a stream cut short keeps what came before and says so', async () => {
    const copy = await unpacked('cut');
    const part = (await openTraceFile(copy)).manifest.processes[0].streams[0];
    const { length } = await readFile(join(copy, part));
    await truncate(join(copy, part), Math.floor(length / 2));
    const trace = await openTrace(copy);
    expect(trace.allocations.length).toBeGreaterThan(10);
    expect(trace.allocations.length).toBeLessThan(whole.allocations.length);
    expect(trace.recording.warnings.join()).toMatch(
      /the program ended before the runtime had written its last events: up to \d+ ms are missing|its events end \d/,
    );
    expect([...trace.processes.errorUnknown]).toEqual([0]);
  });

  test('with a stream that has a hole, or claims more than is left, states no error', async () => {
    const damage = {
      hole: (bytes: Buffer) => bytes.fill(0, bytes.length / 2, bytes.length / 2 + 2000),
      // A block becomes 16 MiB longer.
      size: (bytes: Buffer) => {
        const at = bytes.lastIndexOf('EventBlock') + 'EventBlock'.length + 1 + 3;
        bytes[at] ^= 1;
        return bytes;
      },
    };
    for (const [name, spoil] of Object.entries(damage)) {
      const copy = await unpacked(name);
      const part = (await openTraceFile(copy)).manifest.processes[0].streams[0];
      await writeFile(join(copy, part), spoil(await readFile(join(copy, part))));
      const trace = await openTrace(copy);
      expect([...trace.processes.errorUnknown], name).toEqual([1]);
      expect(trace.recording.warnings.join(), name).toMatch(/The stream/);
    }
  });

  test('with one unreadable stream keeps the rest', async () => {
    const copy = await unpacked('one-stream');
    const part = (await openTraceFile(copy)).manifest.processes[0].streams[0];
    await writeFile(join(copy, part), 'nothing of use');
    const trace = await openTrace(copy);
    expect(trace.series.map((one) => one.name)).toContain('rss');
    expect(trace.recording.warnings.length).toBeGreaterThan(0);
  });
});

describe('a file that is no trace', () => {
  test.each([
    ['missing', undefined, /no such file/],
    ['empty', '', /is empty/],
    ['text', 'hello\n', /neither a memsurge trace nor a .nettrace/],
    ['zip-only', 'PK\x05\x06', /not a memsurge trace/],
    ['nettrace-only', 'Nettrace', /header/],
  ])('%s', async (name, content, message) => {
    const path = join(folder, name);
    if (content !== undefined) await writeFile(path, content);
    const opened = openTrace(path);
    await expect(opened).rejects.toThrow(TraceError);
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toThrow(name);
  });
});

test("another tool's .nettrace opens without its binaries", async () => {
  const path = join(folder, 'ticks.nettrace');
  await pipeline(
    createReadStream(join(ROOT, 'test/fixtures/ticks.nettrace.gz')),
    createGunzip(),
    createWriteStream(path),
  );
  const trace = await openTrace(path);
  expect(trace.recording.source).toBe('nettrace');
  expect(trace.allocations.length).toBeGreaterThan(10);
});
