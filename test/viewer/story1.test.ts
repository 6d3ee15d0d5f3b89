import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CodeAnswer } from '../../src/query/code.ts';
import type { Answer } from '../../src/query/rows.ts';
import { formatBytes } from '../../src/wording/figures.ts';
import { ask, scratchFolder } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
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
  tabTo,
  useBrowser,
} from './browser.ts';
import { recordStory1, serveRead } from './traces.ts';

const FUNCTION = 'CustomerService.Program.LoadCustomerAttachments';

const visit = useBrowser();
let trace: string;
let url: string;
beforeAll(async () => {
  trace = await recordStory1(await scratchFolder());
  url = await serveRead(trace);
});

/** The sentence of Findings about managed memory that begins with `label`. */
const finding = (page: Page, label: string) =>
  page
    .locator('.findings section', { hasText: '.NET memory' })
    .locator('.finding', { has: page.locator('b', { hasText: label }) });

const answer = (...flags: string[]): Promise<Answer> => ask('top', trace, '--by', 'function', ...flags);

/** What the code pane has to show at the allocating line, by the command line. */
async function expectTheLine(page: Page, ...flags: string[]): Promise<void> {
  const { rows } = (await ask('code', trace, FUNCTION, ...flags)) as CodeAnswer;
  const line = await hotLine(page);
  const hottest = rows.reduce((best, row) => (row.share > best.share ? row : best));
  expect(line).toMatchObject({ number: hottest.line, figure: '300 MiB ≈' });
  expect(line.text).toContain('new byte[attachmentBytes]');
  expect(line.hint).toContain(`${hottest.bytes.toLocaleString('en-US')} bytes`);
}

describe('the managed surge', () => {
  test('is five clicks away from its source line; Back, reload and the address keep every step', async () => {
    const page = await visit(url);
    const steps: [string, string][] = [];
    const note = async () => steps.push([page.url(), await shown(page)]);
    await note();
    await picture(page, 'story1-findings');

    const filters: [RegExp, string[]][] = [
      [/^\.NET memory allocations/, ['--kind', 'gc-heap']],
      [/^large object heap/, ['--heap', 'loh']],
      [/^System\.Byte\[\]/, ['--type', 'System.Byte[]']],
    ];
    const flags: string[] = [];
    for (const [name, more] of filters) {
      await filterRow(page, name).click();
      flags.push(...more);
      await note();
      expect(steps.at(-1)![1]).toBe(shownOf(await answer(...flags)));
    }
    await page.getByRole('tab', { name: 'Hotspots' }).click();
    await note();
    const [first] = await savedRows(page);
    const [expected] = (await answer(...flags)).rows;
    expect(first).toMatchObject({ Function: FUNCTION, Own: expected.bytes, Share: expected.share });
    await listRow(page, 'functions', /LoadCustomerAttachments/).click();
    await expectTheLine(page, ...flags);
    await picture(page, 'story1-source-line');

    const address = page.url();
    await page.reload();
    await expectTheLine(page, ...flags);
    expect([page.url(), await shown(page)]).toEqual([address, steps.at(-1)![1]]);
    await expectTheLine(await visit(address), ...flags);

    for (const step of steps.slice(0, -1).reverse()) {
      await page.goBack();
      await expect.poll(async () => [page.url(), await shown(page)]).toEqual(step);
    }
    await page.goForward();
    await expect.poll(async () => [page.url(), await shown(page)]).toEqual(steps[1]);
  });

  test('is one click away in Findings', async () => {
    const page = await visit(url);
    const before = await shown(page);
    await finding(page, 'Line')
      .getByRole('button', { name: /^Program\.cs:\d+/ })
      .click();
    await expectTheLine(page);
    expect(await shown(page)).toBe(before);
    await page.goBack();
    await expect.poll(() => new URL(page.url()).search).toBe('');
  });

  test.each([
    ['Heap', /^large object heap/, '?heap=loh', ['--heap', 'loh']],
    ['Type', 'System.Byte[]', '?type=System.Byte%5B%5D', ['--type', 'System.Byte[]']],
  ])('has a name after "%s" in Findings that filters by nothing else', async (label, name, search, flags) => {
    const page = await visit(url);
    await finding(page, label).getByRole('button', { name }).click();
    expect(await shown(page)).toBe(shownOf(await answer(...flags)));
    expect(new URL(page.url()).search).toBe(search);
    expect(await page.locator('.chips .chip').count()).toBe(1);
  });

  test('has a function in Findings that filters by it and shows its code, and its thread filters by that', async () => {
    const page = await visit(url);
    await finding(page, 'Function').getByRole('button', { name: FUNCTION }).click();
    const { total } = await answer('--function', FUNCTION);
    expect(await shown(page)).toContain(formatBytes(total.bytes));
    await expectTheLine(page, '--function', FUNCTION);
    expect(await page.locator('.chips .chip').allTextContents()).toEqual([`function story1!${FUNCTION}×`]);
    await page.goBack();
    const thread = finding(page, 'Thread').getByRole('button').first();
    const name = (await thread.textContent()) ?? '';
    await thread.click();
    expect(await shown(page)).toBe(shownOf(await answer('--thread', name)));
    expect(await page.locator('.chips .chip').allTextContents()).toEqual([`thread ${name}×`]);
  });

  test('is listed by the link behind a finding, which says what it filters by', async () => {
    const page = await visit(url);
    const list = finding(page, 'Type').getByRole('button', { name: 'list', exact: true });
    // As every share of a report, it is of all of this kind of memory.
    expect(await list.getAttribute('title')).toBe(
      'list them, which filters by kind of memory: .NET memory allocations',
    );
    await list.click();
    expect(await page.getByRole('tab', { name: 'Types' }).getAttribute('aria-selected')).toBe('true');
    expect(await shown(page)).toBe(shownOf(await answer('--kind', 'gc-heap')));
  });

  test('is reached with the keyboard alone', async () => {
    const page = await visit(url);
    for (const name of [/^\.NET memory allocations/, /^large object heap/, /^System\.Byte\[\]/]) {
      await tabTo(page, filterRow(page, name));
      await page.keyboard.press('Enter');
      await settled(page);
    }
    await page.keyboard.press('3');
    await settled(page);
    await page.keyboard.press('/');
    await page.keyboard.type('LoadCustomer');
    await settled(page);
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await expectTheLine(page, '--heap', 'loh', '--type', 'System.Byte[]');
    expect(await listRow(page, 'functions', /LoadCustomer/).getAttribute('aria-selected')).toBe('true');
  });
});

describe('a range of time', () => {
  /** Drags in the timeline between two parts of its width. */
  async function drag(page: Page, from: number, to: number): Promise<void> {
    const { x, y, width, height } = (await page.locator('.chart .u-over').boundingBox())!;
    await page.mouse.move(x + from * width, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + ((from + to) / 2) * width, y + height / 2);
    await page.mouse.move(x + to * width, y + height / 2);
    await page.mouse.up();
    await settled(page);
  }

  test('is dragged in the timeline, narrows every pane to the same total, and Esc takes it away', async () => {
    const page = await visit(url);
    const all = await shown(page);
    await drag(page, 0.3, 0.6);
    const params = new URL(page.url()).searchParams;
    const range = ['--from', `${params.get('from')}ns`, '--to', `${params.get('to')}ns`];
    const expected = await answer(...range);
    expect(await shown(page)).toBe(shownOf(expected));
    expect(expected.total.bytes).toBeLessThan(expected.whole.bytes);

    for (const [tab, list, column] of [
      ['Call tree', 'call tree', 'Total'],
      ['Hotspots', 'functions', 'Own'],
      ['Types', 'types', 'Bytes'],
      ['Threads', 'threads', 'Bytes'],
    ]) {
      await openTab(page, tab);
      const roots =
        tab === 'Call tree' ? await rootTotals(page) : (await savedRows(page, list)).map((row) => row[column]);
      const sum = (roots as number[]).reduce((a, b) => a + b, 0);
      expect(sum, tab).toBeCloseTo(expected.total.bytes, 0);
    }
    await page.keyboard.press('Escape');
    await settled(page);
    expect(await shown(page)).toBe(all);
    await page.goBack();
    await expect.poll(() => shown(page)).toBe(shownOf(expected));
  });

  test('lies where it was dragged: the edges of the chart are those of the recording', async () => {
    const page = await visit(url);
    await drag(page, 0.5, 1.2);
    const params = new URL(page.url()).searchParams;
    const [from, to] = [Number(params.get('from')), Number(params.get('to'))];
    expect(from / to).toBeCloseTo(0.5, 2);
    const { rows } = (await ask('timeline', trace)) as unknown as { rows: { to: number }[] };
    expect(to).toBe(rows.at(-1)!.to);
  });

  test('is set, moved and zoomed by keys', async () => {
    const page = await visit(url);
    await page.keyboard.press('[');
    await page.keyboard.press(']');
    await settled(page);
    expect(new URL(page.url()).searchParams.has('from')).toBe(true);
    expect(new URL(page.url()).searchParams.has('to')).toBe(true);
    await page.keyboard.press('z');
    await settled(page);
    const { searchParams } = new URL(page.url());
    expect(searchParams.get('zoom')).toBe(`${searchParams.get('from')}-${searchParams.get('to')}`);
    await page.keyboard.press('x');
    await page.keyboard.press('Escape');
    await settled(page);
    expect(new URL(page.url()).search).toBe('');
  });
});

/** Exact figures of a tree's outermost rows. */
async function rootTotals(page: Page): Promise<number[]> {
  const hints = await page
    .locator('main [role=row][aria-level="1"] [role=gridcell]:first-child')
    .evaluateAll((cells) => cells.map((cell: { title: string }) => cell.title));
  return hints.map((hint) => Number(hint.replaceAll(/[^\d.]/g, '')));
}

test('source that is not where the symbols say comes from a folder that the user chooses', async () => {
  const why = 'source not found: looked in the trace and where it was built';
  const page = await visit(`${url}?fn=${encodeURIComponent(`story1!${FUNCTION}`)}`, {
    before: (context) =>
      context.route('**/code?**', async (route) => {
        const response = await route.fetch();
        const { generation, answer } = await response.json();
        await route.fulfill({ json: { generation, answer: { ...answer, source: { warnings: [why] } } } });
      }),
  });
  const code = page.getByRole('complementary', { name: 'code' });
  await expect.poll(() => code.textContent()).toContain(why);
  await code.getByLabel(/choose a folder that holds Program\.cs/).setInputFiles(join(ROOT, 'samples'));
  await expectTheLine(page);
});
