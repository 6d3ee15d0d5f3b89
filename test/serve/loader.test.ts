import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { facts } from '../../src/query/facts.ts';
import type { LoaderMessage } from '../../src/serve/messages.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { DEFAULT_VIEW } from '../../src/trace/view.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { writeNettrace, writeRecording } from '../support/traces.ts';
import { built } from './support.ts';

const folder = await scratchFolder();

/** All that a loader says until it ends. */
function load(path: string): Promise<LoaderMessage[]> {
  return new Promise((resolve, reject) => {
    const messages: LoaderMessage[] = [];
    new Worker(built('loader.js'), { workerData: path })
      .on('message', (message) => messages.push(message))
      .on('error', reject)
      .on('exit', () => resolve(messages));
  });
}

const traceOf = (messages: LoaderMessage[], about: LoaderMessage['about']) =>
  messages.flatMap((message) => (message.about === about && 'trace' in message ? [message.trace] : []))[0] as Trace;

test('a recording is shown without its allocations before its streams are read', async () => {
  const messages = await load(writeRecording(folder, 'shop.recording'));
  expect(messages.map(({ about }) => about).filter((about) => about !== 'progress')).toEqual(['preview', 'complete']);
  expect(messages[0].about).toBe('preview');

  const preview = traceOf(messages, 'preview');
  const whole = traceOf(messages, 'complete');
  expect(preview.allocations.length).toBe(0);
  expect(whole.allocations.length).toBeGreaterThan(50);
  expect(preview.processes).toMatchObject({ name: ['fixture'], commandLine: ['fixture --all'], exit: ['exit code 0'] });
  expect(preview.recording).toMatchObject({ duration: 2e9, warnings: ['a warning of the recorder'], preview: true });
  expect(whole.recording).not.toHaveProperty('preview');
  expect(facts(preview, DEFAULT_VIEW).warnings).toContainEqual(expect.stringContaining('still being read'));
  expect(preview.series).toEqual(whole.series.filter(({ name }) => name === 'rss'));
  expect([...preview.series[0].value]).toEqual([1000, 2000]);
});

test('columns come in shared memory', async () => {
  const whole = traceOf(await load(writeNettrace(folder, 'ticks')), 'complete');
  expect(whole.allocations.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(whole.stacks.prefix.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test('progress is a growing part of the bytes', async () => {
  const messages = await load(writeNettrace(folder, 'sampled'));
  const fractions = messages.flatMap((one) =>
    one.about === 'progress' && one.fraction !== undefined ? [one.fraction] : [],
  );
  expect(fractions[0]).toBe(0);
  expect(fractions.at(-1)).toBe(1);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
});

test('what cannot be opened is one line', async () => {
  expect(await load(join(folder, 'nothing'))).toEqual([
    { about: 'failed', error: `cannot open ${join(folder, 'nothing')} (there is no such file)` },
  ]);
});
