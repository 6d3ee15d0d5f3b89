import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatBytes } from '../../src/wording/figures.ts';
import { isLong } from '../support/long.ts';
import { ask, scratchFolder } from '../support/memsurge.ts';
import { makeSmallSolution } from '../support/small-solution.ts';
import { filterRow, openTab, picture, savedRows, settled, shown, shownOf, useBrowser } from './browser.ts';
import { record, serveRead } from './traces.ts';

const visit = useBrowser();

/** Programs nobody here wrote: what they allocate is not known, but all panes must say the same of it. */
describe.each([
  ['dotnet build', recordDotnetBuild] as const,
  ...(isLong ? [['a compile by g++', recordCompile] as const] : []),
])('the page of %s', (name, recordIt) => {
  let trace: string;
  let url: string;
  beforeAll(async () => {
    trace = await recordIt(await scratchFolder());
    url = await serveRead(trace);
  });

  test('adds up to the same total in every pane', async () => {
    const page = await visit(url);
    const expected = await ask('top', trace, '--by', 'function');
    expect(await shown(page)).toBe(shownOf(expected));
    for (const [tab, column] of [
      ['Hotspots', 'Own'],
      ['Types', 'Bytes'],
      ['Threads', 'Bytes'],
    ]) {
      await openTab(page, tab);
      const sum = (await savedRows(page)).reduce((all, row) => all + Number(row[column]), 0);
      expect(sum / expected.total.bytes, tab).toBeCloseTo(1, 9);
      await picture(page, `${name.replaceAll(' ', '-')}-${tab.toLowerCase()}`);
    }
    for (const tab of ['Findings', 'Call tree', 'Flame graph', 'GC heap', 'Recording']) {
      await openTab(page, tab);
      await expectSomething(page, tab);
      await picture(page, `${name.replaceAll(' ', '-')}-${tab.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('narrows to what a filter says, in every list of filters', async () => {
    const page = await visit(`${url}?tab=types&metric=allocated`);
    const lists = await page.locator('.facet h2').allTextContents();
    expect(lists.length).toBeGreaterThan(3);
    for (const list of lists) {
      const rows = page
        .locator('.facet', { has: page.getByRole('heading', { name: list, exact: true }) })
        .locator('.facet-row:not(.other):enabled');
      const row = rows.nth(Math.min(1, (await rows.count()) - 1));
      const [text, figure] = ((await row.getAttribute('title')) ?? '').split('\n');
      await row.click();
      const bytes = Number(figure.replaceAll(/[^\d.]/g, ''));
      const sum = (await savedRows(page)).reduce((all, one) => all + Number(one.Bytes), 0);
      expect(await shown(page), text).toMatch(new RegExp(`^(all|shown) ${formatBytes(sum).replaceAll('.', '\\.')} `));
      expect(sum / bytes, text).toBeCloseTo(1, 6);
      await page.goBack();
      await settled(page);
    }
  });

  test('opens its tree level by level, and shows code or why there is none', async () => {
    const page = await visit(`${url}?tab=tree`);
    const closed = page.locator('main [aria-level][aria-expanded=false] .twisty');
    for (let opened = 0; opened < 25 && (await closed.count()) > 0; opened++) {
      await closed.nth(opened % (await closed.count())).click();
      await settled(page);
    }
    expect((await savedRows(page)).length).toBeGreaterThan(10);
    await openTab(page, 'Hotspots');
    await page.keyboard.press('g');
    for (let row = 0; row < 8; row++) {
      await page.keyboard.press('ArrowDown');
      await settled(page);
      expect(((await page.getByRole('complementary', { name: 'code' }).textContent()) ?? '').length).toBeGreaterThan(
        10,
      );
      await page.keyboard.press('c');
      await settled(page);
      await expectSomething(page, `callers of row ${row}`);
      await page.keyboard.press('3');
      await settled(page);
      await page.keyboard.press('g');
    }
  });

  test('finds types and functions by a part of their names', async () => {
    const page = await visit(`${url}?tab=hotspots`);
    await page.getByRole('searchbox', { name: 'search functions' }).fill('alloc');
    const found = (await savedRows(page)).filter((row) => !String(row.Function).startsWith('other'));
    for (const row of found) expect(row.Function).toMatch(/alloc/i);
    const search = page.getByRole('searchbox', { name: 'search Type', exact: true });
    if ((await search.count()) === 0) return;
    await search.fill('string');
    await settled(page);
    await filterRow(page, /^System\.String /).waitFor();
  });
});

/** Rows, boxes or sentences; an empty pane tells nothing. */
async function expectSomething(page: Page, what: string): Promise<void> {
  const text = (await page.getByRole('tabpanel').textContent()) ?? '';
  expect(text.length, what).toBeGreaterThan(20);
}

async function recordDotnetBuild(folder: string): Promise<string> {
  const solution = makeSmallSolution(folder);
  const build = ['dotnet', 'build', solution, '--no-restore', '-p:UseSharedCompilation=false', '-nodeReuse:false'];
  return record(join(folder, 'build.memsurge'), [], ...build);
}

async function recordCompile(folder: string): Promise<string> {
  const source = join(folder, 'some.cpp');
  writeFileSync(
    source,
    '#include <map>\n#include <regex>\n#include <string>\nstd::map<std::string, std::regex> all;\nint main() { all["a"] = std::regex("a|b"); }\n',
  );
  return record(
    join(folder, 'compile.memsurge'),
    ['--native', 'exact'],
    'g++',
    '-O2',
    '-o',
    join(folder, 'some'),
    source,
  );
}
