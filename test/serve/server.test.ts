import { mkdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { code } from '../../src/query/code.ts';
import { facts } from '../../src/query/facts.ts';
import { heap } from '../../src/query/heap.ts';
import { viewOf } from '../../src/query/parts.ts';
import { report, reportViews } from '../../src/query/report.ts';
import { timeline } from '../../src/query/timeline.ts';
import { top } from '../../src/query/top.ts';
import { tree } from '../../src/query/tree.ts';
import { openTrace } from '../../src/read/open.ts';
import { findSource } from '../../src/read/source.ts';
import type { Answered, AnswerOf, ParamsOf, QuestionName, TraceList, TraceState } from '../../src/serve/api.ts';
import type { RunningServer } from '../../src/serve/server.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { type AskedView, DEFAULT_VIEW, DIMENSIONS, type View } from '../../src/trace/view.ts';
import { viewToParams } from '../../src/trace/view-params.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { writeNettrace, writeRecording } from '../support/traces.ts';
import { get, getJson, serve, whenRead } from './support.ts';

const folder = await scratchFolder();
const paths = [
  writeNettrace(folder, 'sampled'),
  writeRecording(folder, 'shop.memsurge.recording'),
  join(folder, 'missing.memsurge'),
  join(folder, 'broken.memsurge'),
];
let server: RunningServer;
let states: readonly TraceState[];
let trace: Trace;

beforeAll(async () => {
  writeFileSync(paths[3], 'PK but no zip');
  server = await serve(...paths);
  states = await whenRead(server);
  trace = await openTrace(paths[0]);
});

test('says which traces there are, and of those that do not open why in one line', async () => {
  expect(await getJson<TraceList>(server.url, 'api/traces')).toEqual({ version: '1.2.3', traces: states });
  const ready = { phase: 'ready', text: '', fraction: 1, generation: 2 };
  const failed = { phase: 'failed', text: '', fraction: null, generation: 0 };
  expect(states).toEqual([
    { id: 0, name: 'sampled.nettrace', path: paths[0], ...ready },
    { id: 1, name: 'shop.memsurge.recording', path: paths[1], ...ready },
    {
      id: 2,
      name: 'missing.memsurge',
      path: paths[2],
      ...failed,
      error: `cannot open ${paths[2]} (there is no such file)`,
    },
    { id: 3, name: 'broken.memsurge', path: paths[3], ...failed, error: expect.stringMatching(/^\S+ is not .*$/) },
  ]);
});

describe('every question is answered as the query answers it', () => {
  const { metric: _, ...everything } = DEFAULT_VIEW;
  const views: Record<string, AskedView> = {
    everything,
    'a type and a range': { ...everything, types: ['System.Byte[]'], from: 1e6, to: 9e7, unit: 'count' },
    'all other filters': {
      ...everything,
      processes: ['dotnet'],
      kinds: ['gc-heap'],
      heaps: ['loh', 'poh'],
      threads: ['*'],
      modules: ['fixture'],
      functions: ['Fill', 'Main'],
      hideSystem: true,
      metric: 'allocated',
    },
  };

  /** The answer over HTTP, and the query's own as JSON can hold it. */
  async function compare<Q extends QuestionName>(
    question: Q,
    asked: AskedView,
    params: ParamsOf<Q>,
    expected: (view: View) => AnswerOf<Q> | Promise<AnswerOf<Q>>,
  ): Promise<void> {
    const search = viewToParams(asked);
    for (const [name, value] of Object.entries(params)) search.set(name, String(value));
    const answered = await getJson<Answered<Q>>(server.url, `api/traces/0/${question}?${search}`);
    const own = await expected(viewOf(trace, asked));
    expect(answered).toEqual({ generation: 2, answer: JSON.parse(JSON.stringify(own)) });
  }

  test.each(Object.entries(views))('%s', async (_name, asked) => {
    await compare('report', asked, {}, (view) =>
      reportViews(trace, view, asked.metric !== undefined).map((one) => report(trace, one)),
    );
    for (const by of DIMENSIONS) {
      await compare('top', asked, { by, limit: 3 }, (view) => top(trace, view, by, 3));
    }
    await compare('tree', asked, { limit: 5 }, (view) => tree(trace, view, 'callees', { limit: 5 }));
    await compare('tree', asked, { direction: 'callers' }, (view) => tree(trace, view, 'callers', { limit: 300 }));
    await compare('timeline', asked, { buckets: 50 }, (view) => timeline(trace, view, 50));
    await compare('heap', asked, { limit: 3 }, (view) => heap(trace, view, 3));
    await compare('facts', asked, {}, (view) => facts(trace, view));
    await compare('code', asked, { of: 'Large.Fill' }, async (view) => {
      const answer = code(trace, view, 'Large.Fill');
      const { warnings } = await findSource(trace, answer);
      return { ...answer, source: { warnings } };
    });
  });

  test('and many at once', async () => {
    const ask = (by: string) => getJson<Answered<'top'>>(server.url, `api/traces/1/top?by=${by}`);
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(DIMENSIONS[i % DIMENSIONS.length])));
    for (const { answer, generation } of answers) {
      expect(generation).toBe(2);
      expect(answer.total.bytes).toBeCloseTo(answers[0].answer.total.bytes, 3);
    }
  });
});

describe('what cannot be answered is one line with the status that says why', () => {
  test.each([
    ['0/nope', 404, 'there is no question "nope"'],
    ['0/constructor', 404, 'there is no question "constructor"'],
    ['9/facts', 404, 'there is no trace 9'],
    ['x/facts', 404, 'there is no trace x'],
    ['2/facts', 409, expect.stringContaining('there is no such file')],
    ['0/top', 400, 'by: is missing'],
    ['0/top?by=size', 400, expect.stringMatching(/^by: give one of kind, heap/)],
    ['0/top?by=type&limit=0', 400, 'limit: give a whole number from 1 on'],
    ['0/top?by=type&limit=many', 400, 'limit: give a whole number from 1 on'],
    ['0/top?by=type&limt=3', 400, 'limt: no such parameter'],
    ['0/top?by=type&kind=heap', 400, expect.stringMatching(/^"heap" is no kind/)],
    ['0/code', 400, 'of: is missing'],
    ['0/code?of=Nobody', 200, expect.stringContaining('Nobody')],
    ['0/top?by=type&metric=live', 200, expect.stringContaining('did not record')],
  ])('%s', async (path, status, error) => {
    const got = await get(server.url, `api/traces/${path}`);
    expect({ status: got.status, ...JSON.parse(got.text) }).toEqual({ status, error });
  });
});

describe('answers only who may see', () => {
  const { host, origin } = { host: () => new URL(server.url).host, origin: () => new URL(server.url).origin };
  const token = () => new URL(server.url).pathname.split('/')[1];

  test('the URL has a token of 128 bits, and without it there is nothing', async () => {
    expect(token()).toMatch(/^[0-9a-f]{32}$/);
    const other = token().replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    for (const path of ['/', '/api/traces', `/${other}/`, `/${other}/api/traces`, `/${token()}x/`, '//', '/%']) {
      const got = await get(origin(), path.slice(1));
      expect([path, got.status, got.text]).toEqual([
        path,
        expect.toBeOneOf([400, 404]),
        expect.not.stringContaining('{'),
      ]);
    }
  });

  test('under names of this machine, at any port', async () => {
    for (const name of ['localhost:8080', 'localhost', '127.0.0.1:1', '[::1]:8080', host()]) {
      expect([name, (await get(server.url, 'api/traces', { host: name })).status]).toEqual([name, 200]);
    }
    for (const name of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.nip.io:80',
      '10.0.0.1',
      'localhost@evil',
    ]) {
      const got = await get(server.url, 'api/traces', { host: name });
      expect([name, got.status]).toEqual([name, expect.toBeOneOf([400, 403])]);
      expect(got.text).not.toContain(token());
    }
  });

  test('no page of another site', async () => {
    const status = async (headers: Record<string, string>) => (await get(server.url, 'api/traces', headers)).status;
    expect(await status({ origin: origin() })).toBe(200);
    expect(await status({ origin: 'http://localhost:9000', host: 'localhost:9000' })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'none' })).toBe(200);
    expect(await status({ origin: 'http://evil.example' })).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: 'http://localhost:9000', host: 'localhost:9001' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-site' })).toBe(403);
  });

  test('a link from elsewhere leads to the page, and to nothing else', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await get(server.url, '', link)).status).not.toBe(403);
    expect((await get(server.url, 'api/traces', link)).status).toBe(403);
  });

  test('only GET and HEAD', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      expect([method, (await get(server.url, 'api/traces', {}, method)).status]).toEqual([method, 405]);
    }
    const head = await get(server.url, 'api/traces', {}, 'HEAD');
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: '' });
  });

  test('no file but those of the page', async () => {
    for (const path of [
      '../package.json',
      '..%2fpackage.json',
      '%2e%2e/%2e%2e/package.json',
      'app.js/../../serve/server.js',
      'index.html/',
      'app.js%00.html',
      'app.js.map',
      'api/traces/0',
      'api/traces/..%2f..%2f/facts',
      `api/file?path=${encodeURIComponent('/etc/passwd')}`,
    ]) {
      const got = await get(server.url, path);
      expect([path, got.status]).toEqual([path, 404]);
      expect(got.text).not.toMatch(/root:|import /);
    }
  });

  test('everything comes with the headers that keep it here', async () => {
    for (const path of ['', 'api/traces', 'api/traces/0/facts', 'nothing', 'api/traces/0/nope']) {
      const { headers } = await get(server.url, path);
      expect(headers).toMatchObject({
        'content-security-policy': expect.stringMatching(/^default-src 'none'; script-src 'self'; /),
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-store',
      });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('from this machine alone', async () => {
    const outside = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address } of outside.filter(({ internal, family }) => !internal && family === 'IPv4')) {
      await expect(get(server.url.replace('127.0.0.1', address))).rejects.toThrow('ECONNREFUSED');
    }
  });
});

test('the address without its last slash leads to the page', async () => {
  const { origin, pathname } = new URL(server.url);
  const got = await get(origin, pathname.slice(1, -1));
  expect({ status: got.status, location: got.headers.location }).toEqual({ status: 302, location: pathname });
});

test('large answers are compressed for those who can read that', async () => {
  const path = 'api/traces/0/tree?limit=3000';
  const plain = await get(server.url, path);
  expect(plain.headers['content-encoding']).toBeUndefined();
  const response = await fetch(new URL(path, server.url), { headers: { 'accept-encoding': 'gzip' } });
  expect(response.headers.get('content-encoding')).toBe('gzip');
  expect(await response.text()).toBe(plain.text);
});

test('a stream that cannot be read is a warning, and the rest of its recording is served', async () => {
  const damaged = await serve(writeRecording(folder, 'damaged.recording', Buffer.from('no stream at all')));
  expect(await whenRead(damaged)).toMatchObject([{ phase: 'ready', generation: 2 }]);
  const { answer } = await getJson<Answered<'facts'>>(damaged.url, 'api/traces/0/facts');
  expect(answer.processes).toMatchObject([{ label: 'fixture (7)', exit: 'exit code 0' }]);
  expect(answer.warnings).toContainEqual(expect.stringMatching(/^fixture \(7\): /));
});

test('after it was closed nobody answers', async () => {
  const closing = await serve(paths[0]);
  await whenRead(closing);
  await closing.close();
  await expect(get(closing.url)).rejects.toThrow('ECONNREFUSED');
});

test('a folder that is no recording is refused', async () => {
  mkdirSync(join(folder, 'empty'));
  expect(await whenRead(await serve(join(folder, 'empty')))).toMatchObject([
    { phase: 'failed', error: expect.stringContaining('not a memsurge recording') },
  ]);
});
