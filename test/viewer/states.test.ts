import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TraceList } from '../../src/serve/api.ts';
import { getJson, serve, whenRead } from '../serve/support.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { writeNettrace } from '../support/traces.ts';
import { openTab, picture, savedRows, settled, shown, useBrowser } from './browser.ts';
import { serveRead } from './traces.ts';

const visit = useBrowser();
let folder: string;
let trace: string;
beforeAll(async () => {
  folder = await scratchFolder();
  trace = writeNettrace(folder, 'sampled');
});

const NOTICE = '.notice';

describe('a trace that cannot be read', () => {
  test('is explained in a sentence, and another can be chosen', async () => {
    const broken = join(folder, 'broken.memsurge');
    writeFileSync(broken, 'PK but no zip');
    const server = await serve(broken, trace);
    const { error } = (await whenRead(server))[0];
    const page = await visit(server.url);
    expect(await page.locator(NOTICE).textContent()).toBe(error);
    expect(error).toMatch(/broken\.memsurge/);
    await picture(page, 'broken');
    await page.getByRole('combobox', { name: 'trace' }).selectOption({ label: 'sampled.nettrace' });
    await settled(page);
    expect(await page.locator(NOTICE).count()).toBe(0);
    expect(await shown(page)).toMatch(/^all .* allocated/);
    await page.goBack();
    await expect.poll(() => page.locator(NOTICE).textContent()).toBe(error);
  });

  test('in its second half shows the first, with the loss', async () => {
    const cut = join(folder, 'cut.nettrace');
    const whole = readFileSync(trace);
    writeFileSync(cut, whole.subarray(0, whole.length * 0.6));
    const page = await visit(await serveRead(cut));
    expect(await shown(page)).toMatch(/ allocated/);
    const warnings = await page.getByRole('list', { name: 'warnings' }).textContent();
    expect(warnings).toMatch(/ends|cut|incomplete|truncated/i);
    await openTab(page, 'Recording');
    expect(await page.locator('.recording').textContent()).toContain('⚠');
  });

  test('that is not there leaves a choice', async () => {
    const page = await visit(`${await serveRead(trace, trace)}?trace=7`);
    await expect.poll(() => page.locator(NOTICE).textContent()).toContain('There is no such trace here');
    await page.getByRole('combobox', { name: 'trace' }).selectOption('1');
    expect(await shown(page)).toMatch(/^all .* allocated/);
  });
});

describe('a trace that is still being read', () => {
  /** Tells the page that the trace is read so far, whatever is true. */
  async function whileReading(phase: Partial<TraceList['traces'][number]>) {
    const server = await serve(trace);
    await whenRead(server);
    const list = await getJson<TraceList>(server.url, 'api/traces');
    const reading = { ...list, traces: [{ ...list.traces[0], phase: 'reading', ...phase }] };
    let isDone = false;
    const page = await visit(server.url, {
      before: (context) =>
        context.route('**/api/traces', (route) => (isDone ? route.continue() : route.fulfill({ json: reading }))),
    });
    const finish = () => {
      isDone = true;
    };
    return { page, finish };
  }

  test('shows how far it is, and then the trace', async () => {
    const { page, finish } = await whileReading({ generation: 0, text: 'reading the stream', fraction: 0.4 });
    const notice = page.getByRole('status').filter({ hasText: 'reading the stream' });
    await notice.waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.4');
    expect(await page.locator('main').count()).toBe(0);
    await picture(page, 'reading');
    finish();
    await page.locator('main').waitFor();
    expect(await shown(page)).toMatch(/^all .* allocated/);
    expect(await notice.count()).toBe(0);
  });

  test('can be explored where a part of it is known', async () => {
    const { page, finish } = await whileReading({ generation: 1, text: 'reading allocations', fraction: null });
    await page.getByRole('status').filter({ hasText: 'allocations follow' }).waitFor();
    await openTab(page, 'Hotspots');
    expect((await savedRows(page)).length).toBeGreaterThan(0);
    finish();
    await page.locator(NOTICE).waitFor({ state: 'detached' });
    expect((await savedRows(page)).length).toBeGreaterThan(0);
  });
});

describe('a server that does not answer', () => {
  const LOST = /memsurge does not answer: was .memsurge view. ended\?/;

  test('is said to be gone', async () => {
    const server = await serve(trace);
    await whenRead(server);
    const page = await visit(server.url, {
      expected: ['ERR_CONNECTION_REFUSED', 'ERR_CONNECTION_RESET', 'ERR_EMPTY_RESPONSE'],
    });
    await server.close();
    await page.keyboard.press('3');
    await expect.poll(() => page.locator(NOTICE).textContent()).toMatch(LOST);
  });

  test('and answers again is gone on with', async () => {
    const url = await serveRead(trace);
    const page = await visit(url, { expected: ['ERR_FAILED', 'ERR_CONNECTION_REFUSED'] });
    await page.context().route('**/api/**', (route) => route.abort('connectionrefused'));
    await page.keyboard.press('3');
    await expect.poll(() => page.locator(NOTICE).textContent()).toMatch(LOST);
    await page.context().unroute('**/api/**');
    await page.locator(NOTICE).waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('main [role=grid] [role=row]').count()).toBeGreaterThan(2);
  });
});

test('an address that was edited into nonsense shows everything, with the reason', async () => {
  const page = await visit(`${await serveRead(trace)}?heap=nonsense&tab=types`);
  expect(await page.locator(NOTICE).textContent()).toMatch(
    /a filter that cannot be: .*heap.* Everything is shown instead/,
  );
  expect(await shown(page)).toMatch(/^all .* allocated/);
});

test('a view that holds nothing says so in every tab', async () => {
  const page = await visit(`${await serveRead(trace)}?thread=nobody`);
  for (const tab of ['Call tree', 'Hotspots', 'Flame graph', 'Types', 'Threads']) {
    await openTab(page, tab);
    expect(await page.locator('main').textContent(), tab).toMatch(
      /Nothing (was allocated|that was recorded is) in this view/,
    );
  }
});
