import { beforeAll, describe, expect, test } from 'vitest';
import type { TimelineRow } from '../../src/query/timeline.ts';
import { ask, scratchFolder } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';
import {
  filterRow,
  hotLine,
  listRow,
  openTab,
  picture,
  savedRows,
  settled,
  shown,
  shownOf,
  useBrowser,
} from './browser.ts';
import { recordStory2, serveRead } from './traces.ts';

const MiB = 2 ** 20;
const LEAKED = { HeapMalloc1: 2048 * MiB, HeapMalloc2: 800 * MiB, HeapMalloc3: 640 * MiB };

const visit = useBrowser();
const unable = whyNoNativeSamples();

describe.skipIf(unable !== undefined)(`the native surge${unable ? ` (${unable})` : ''}`, () => {
  let trace: string;
  let url: string;
  beforeAll(async () => {
    trace = await recordStory2(await scratchFolder());
    url = await serveRead(trace);
  });

  test('is four clicks away from its source line, and counts what was not released by itself', async () => {
    const page = await visit(url);
    await filterRow(page, /^native heap/).click();
    const expected = await ask('top', trace, '--by', 'function', '--kind', 'native-heap');
    expect(expected.metric).toBe('unreleased');
    expect(await shown(page)).toBe(shownOf(expected));

    await openTab(page, 'Hotspots');
    const functions = await savedRows(page);
    expect(Object.fromEntries(functions.slice(0, 3).map((row) => [row.Function, row.Own]))).toEqual(LEAKED);
    await listRow(page, 'functions', /HeapMalloc1/).click();
    const line = await hotLine(page);
    expect(line).toMatchObject({ figure: '2.00 GiB' });
    expect(line.hint).toContain('2,147,483,648 bytes');
    expect(line.text).toContain('malloc(bytes)');
    await picture(page, 'story2-source-line');

    await openTab(page, 'Threads');
    const threads = await savedRows(page);
    const byThread = await ask('top', trace, '--by', 'thread', '--kind', 'native-heap');
    expect(threads.map((row) => [row.Thread, row.Bytes, row.Share])).toEqual(
      byThread.rows.map((row) => [row.name, row.bytes, row.share]),
    );
    expect(threads.slice(0, 3).map((row) => String(row.Thread).replace(/ .*/, ''))).toEqual([
      'leaker-1',
      'leaker-2',
      'leaker-3',
    ]);
  });

  test('has callers from the C++ function through the stub to the C# lambda', async () => {
    const page = await visit(`${url}?kind=native-heap&tab=hotspots`);
    await listRow(page, 'functions', /HeapMalloc2/).dblclick();
    await settled(page);
    expect(await page.getByRole('tab', { name: 'Callers' }).getAttribute('aria-selected')).toBe('true');
    const names = (await savedRows(page, 'callers')).map((row) => String(row.Function));
    const way = ['HeapMalloc2', 'IL_STUB_PInvoke', 'Program.Leak', 'Main.<lambda>'];
    expect(way.map((part, i) => names[i]?.includes(part))).toEqual(way.map(() => true));
    await picture(page, 'story2-callers');
  });

  test('is one click away in Findings', async () => {
    const page = await visit(url);
    const lines = page
      .locator('.finding', { hasText: /^Line.*HeapMalloc1/ })
      .getByRole('button', { name: /^example\.cpp/ });
    expect(await lines.count(), 'one of each of the three leaks').toBe(3);
    await lines.first().click();
    expect((await hotLine(page)).text).toContain('malloc(bytes)');
  });

  /** Parameters of a range that neither begins nor ends with the recording, and has memory of both kinds. */
  async function inside(): Promise<string> {
    const first = async (kind: string, least: number) => {
      const { rows } = await ask('timeline', trace, '--kind', kind, '--metric', 'allocated');
      return (rows as unknown as TimelineRow[]).find(({ bytes }) => bytes > least)!;
    };
    const ranges = [await first('gc-heap', 0), await first('native-heap', 1e8)];
    const from = Math.min(...ranges.map((one) => one.from));
    const to = Math.max(...ranges.map((one) => one.to));
    return `from=${Math.round(from)}&to=${Math.round(to)}`;
  }

  test('of a part of the recording is told by what is known of it, which the page chooses and says', async () => {
    const page = await visit(`${url}?${await inside()}`);
    const findings = page.locator('.findings section');
    expect(await findings.locator('h2').allTextContents()).toEqual(
      expect.arrayContaining([
        'How it grew',
        'Native heap: who allocated more than was released',
        '.NET memory: who allocated',
      ]),
    );
    await filterRow(page, /^native heap/).click();
    expect(await shown(page)).toMatch(/ net · exact$/);
    const metric = page.getByRole('combobox', { name: 'metric' });
    expect(await metric.locator('option:checked').textContent()).toBe('net (automatic)');
    expect(await page.getByRole('list', { name: 'warnings' }).textContent()).toContain(
      'minus what was released in it: of a range inside',
    );
    expect(await findings.locator('.finding', { hasText: /^Function/ }).textContent()).toMatch(
      /HeapMalloc1 \([\d.]+ [MG]iB, exact\)/,
    );
    await picture(page, 'story2-range');
    for (const tab of ['Call tree', 'Hotspots', 'Flame graph', 'Threads']) {
      await openTab(page, tab);
      expect(await page.getByRole('alert').count(), tab).toBe(0);
    }
    await filterRow(page, /^leaker-1/).click();
    expect(await shown(page)).toMatch(/^shown .* net · exact$/);
  });

  test('asked for what it cannot tell, says so in every tab, with a way on', async () => {
    const page = await visit(`${url}?kind=native-heap&metric=unreleased&${await inside()}`);
    await expect.poll(() => filterRow(page, /^leaker-1/).count(), { message: 'one can still filter' }).toBe(1);
    for (const tab of ['Findings', 'Call tree', 'Hotspots', 'Flame graph', 'Types', 'Threads']) {
      await openTab(page, tab);
      await expect
        .poll(() => page.locator('main').getByRole('alert').textContent(), { message: tab })
        .toContain('exact native recording keeps no event times');
    }
    await picture(page, 'refusal');
    expect(await shown(page)).toContain('unreleased cannot be counted here');
    await page.getByRole('button', { name: 'take all filters away' }).click();
    expect(await shown(page)).toBe(shownOf(await ask('top', trace, '--by', 'function', '--metric', 'unreleased')));
  });

  test('of managed memory nobody knows what was released; the page says so and goes on', async () => {
    const page = await visit(`${url}?kind=gc-heap&metric=unreleased&tab=hotspots`);
    expect(await page.locator('main').getByRole('alert').textContent()).toContain(
      'needs to know when memory was released',
    );
    await page.getByRole('button', { name: 'count what can be counted' }).click();
    await settled(page);
    expect(await shown(page)).toBe(shownOf(await ask('top', trace, '--by', 'function', '--kind', 'gc-heap')));
  });
});
