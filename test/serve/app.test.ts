import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, expect, test } from 'vitest';
import { createApp } from '../../src/serve/app.ts';
import type { QueryPool } from '../../src/serve/pool.ts';
import { createServedTrace } from '../../src/serve/traces.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { get, getJson } from './support.ts';

const folder = await scratchFolder();

/** The routes on a server, with one trace that hears what the test says, and a pool of the test's own. */
async function serveOne(ask: QueryPool['ask'], viewer = folder) {
  const { served, hear } = createServedTrace(0, '/traces/app.memsurge');
  const app = createApp({
    token: 'secret',
    version: '1.2.3',
    traces: {
      states: () => [served.state],
      find: (id) => (id === '0' ? served : undefined),
      close: async () => {},
    },
    pool: { ask, close: async () => {} },
    viewer: pathToFileURL(`${viewer}/`),
  });
  const server = createAdaptorServer({ fetch: app.fetch }).listen(0, '127.0.0.1');
  afterAll(() => server.close());
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret/`, hear };
}

test('a trace can be asked as soon as its preview is there', async () => {
  const { url, hear } = await serveOne(async ({ generation }) => ({ status: 200, body: String(generation) }));
  const state = async () => (await getJson<{ traces: unknown[] }>(url, 'api/traces')).traces[0];
  const facts = () => get(url, 'api/traces/0/facts');
  const reading = { id: 0, name: 'app.memsurge', path: '/traces/app.memsurge', phase: 'reading' };

  expect(await state()).toEqual({ ...reading, text: 'opening', fraction: null, generation: 0 });
  expect(await facts()).toMatchObject({ status: 409, text: '{"error":"nothing of this trace is read yet"}' });
  hear({ about: 'preview', trace: traceFromText('') });
  hear({ about: 'progress', text: 'reading shop', fraction: 0.25 });
  expect(await state()).toEqual({ ...reading, text: 'reading shop', fraction: 0.25, generation: 1 });
  expect(await facts()).toMatchObject({ status: 200, text: '1' });
  hear({ about: 'progress', text: 'looking up symbols', fraction: undefined });
  expect(await state()).toMatchObject({ text: 'looking up symbols', fraction: null });
  hear({ about: 'complete', trace: traceFromText('') });
  expect(await state()).toEqual({ ...reading, phase: 'ready', text: '', fraction: 1, generation: 2 });
  expect(await facts()).toMatchObject({ status: 200, text: '2' });
});

test('what a trace told before reading it failed can still be asked', async () => {
  const { url, hear } = await serveOne(async () => ({ status: 200, body: '{}' }));
  hear({ about: 'preview', trace: traceFromText('') });
  hear({ about: 'failed', error: 'damaged' });
  expect(await getJson(url, 'api/traces')).toMatchObject({
    traces: [{ phase: 'failed', generation: 1, error: 'damaged' }],
  });
  expect((await get(url, 'api/traces/0/facts')).status).toBe(200);
});

test('a request whose client goes away aborts its question', async () => {
  const asked = withResolvers();
  const aborted = withResolvers();
  const { url, hear } = await serveOne(async (_, question, search, signal) => {
    expect({ question, search }).toEqual({ question: 'tree', search: '?limit=5&type=A%26B' });
    signal.addEventListener('abort', () => aborted.resolve());
    asked.resolve();
    await aborted.promise;
    return undefined;
  });
  hear({ about: 'complete', trace: traceFromText('') });
  const controller = new AbortController();
  const fetching = fetch(new URL('api/traces/0/tree?limit=5&type=A%26B', url), { signal: controller.signal });
  await asked.promise;
  controller.abort();
  await expect(fetching).rejects.toThrow('aborted');
  await aborted.promise;
});

function withResolvers(): { promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('serves the page, or says in one sentence that it was not built', async () => {
  const { url } = await serveOne(async () => undefined);
  const missing = await get(url);
  expect(missing.status).toBe(503);
  expect(missing.text).toContain('was not built');
  expect((await get(url, 'app.js')).status).toBe(404);

  const files = { 'index.html': 'text/html', 'app.js': 'text/javascript', 'app.css': 'text/css' };
  for (const name of Object.keys(files)) writeFileSync(join(folder, name), `the ${name}`);
  writeFileSync(join(folder, 'other.txt'), 'not of the page');
  for (const [name, type] of Object.entries(files)) {
    const got = await get(url, name === 'index.html' ? '' : name);
    expect(got).toMatchObject({
      status: 200,
      text: `the ${name}`,
      headers: { 'content-type': `${type}; charset=utf-8` },
    });
  }
  expect((await get(url, 'other.txt')).status).toBe(404);
});
