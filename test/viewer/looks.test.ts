import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../support/long.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { whyNoNativeSamples } from '../support/samples.ts';
import { filterRow, openTab, picture, settled, tabTo, useBrowser } from './browser.ts';
import { recordStory1, recordStory2, serveRead } from './traces.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TABS = [
  'Findings',
  'Call tree',
  'Hotspots',
  'Callers',
  'Flame graph',
  'Types',
  'Threads',
  'GC heap',
  'Recording',
];
const SCHEMES = ['light', 'dark'] as const;

const visit = useBrowser();
let url: string;
/** The address of a trace and a function selected in it. */
let traces: [name: string, query: string][];
beforeAll(async () => {
  const folder = await scratchFolder();
  const paths = [await recordStory1(folder)];
  traces = [['managed', '?fn=story1!CustomerService.Program.LoadCustomerAttachments']];
  if (whyNoNativeSamples() === undefined) {
    paths.push(await recordStory2(folder));
    traces.push(['native', '?trace=1&kind=native-heap&fn=libExample.so!HeapMalloc1']);
  }
  url = await serveRead(...paths);
});

interface Box {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const PANES = ['header', '.timeline', 'nav.filters', 'main', 'aside.code'];

/** Nothing of the page lies outside of the window or under something else. */
async function expectInOrder(page: Page, what: string): Promise<void> {
  const { width, height } = page.viewportSize()!;
  const scrolled = await page.evaluate<number[]>(
    '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]',
  );
  expect(scrolled, `${what}: size of the page`).toEqual([width, height]);
  const boxes: Box[] = [];
  for (const name of PANES) boxes.push({ name, ...(await page.locator(name).boundingBox())! });
  for (const [i, a] of boxes.entries()) {
    expect(a.width > 100 && a.height > 20, `${what}: ${a.name} can be seen`).toBe(true);
    for (const b of boxes.slice(i + 1)) {
      const common =
        Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 0.5 &&
        Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 0.5;
      expect(common, `${what}: ${a.name} overlaps ${b.name}`).toBe(false);
    }
  }
}

test.each([[1280, 800, 'light'] as const, ...(isLong ? [[1920, 1080, 'dark'] as const] : [])])(
  'at %i × %i every tab has its place, in both colours',
  async (width, height, pictured) => {
    for (const [name, query] of traces) {
      const page = await visit(url + query, { viewport: { width, height } });
      for (const tab of TABS) {
        await openTab(page, tab);
        for (const colorScheme of SCHEMES) {
          await page.emulateMedia({ colorScheme });
          await expectInOrder(page, `${name}, ${tab}, ${colorScheme}`);
        }
        await page.emulateMedia({ colorScheme: pictured });
        await picture(page, `${name}-${width}-${pictured}-${tab.toLowerCase().replaceAll(' ', '-')}`);
      }
    }
  },
);

test.each([[420, 800, 'light'] as const, ...(isLong ? [[700, 700, 'dark'] as const] : [])])(
  'at %i × %i panes lie one below the other, and rows keep their names',
  async (width, height, colorScheme) => {
    for (const [name, query] of traces) {
      const page = await visit(url + query, { viewport: { width, height }, colorScheme });
      for (const tab of TABS) {
        await openTab(page, tab);
        const what = `${name}, ${tab}`;
        expect(await page.evaluate('document.documentElement.scrollWidth'), what).toBe(width);
        const boxes = await Promise.all(
          ['header', '.timeline', 'main', 'aside.code', 'nav.filters'].map((pane) => page.locator(pane).boundingBox()),
        );
        for (const [i, box] of boxes.entries()) {
          expect(box!.width, what).toBe(width);
          if (i > 0) expect(box!.y, what).toBeGreaterThanOrEqual(boxes[i - 1]!.y + boxes[i - 1]!.height - 1);
        }
        const heads = await page
          .locator('main [role=columnheader]')
          .evaluateAll((all) => all.map((head) => [head.textContent, head.getBoundingClientRect()] as const));
        for (const [title, head] of heads.filter(([title]) =>
          /^(Function|Type|Thread|Generation)$/.test(title ?? ''),
        )) {
          expect(head.width, `${what}: ${title}`).toBeGreaterThan(100);
          expect(head.right, `${what}: ${title}`).toBeLessThanOrEqual(width);
        }
        await picture(page, `${name}-${width}-${colorScheme}-${tab.toLowerCase().replaceAll(' ', '-')}`);
      }
    }
  },
);

test('axe finds nothing serious in any tab, in both colours', async () => {
  const found: string[] = [];
  for (const [name, query] of traces) {
    const page = await visit(url + query);
    await page.evaluate(AXE);
    const look = async (where: string) => {
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        const rules = colorScheme === 'light' ? undefined : ['color-contrast'];
        found.push(...(await violations(page, rules)).map((text) => `${name}, ${where}, ${colorScheme}: ${text}`));
      }
    };
    for (const tab of TABS) {
      await openTab(page, tab);
      await look(tab);
    }
    await filterRow(page, /^(\.NET memory|native heap)/)
      .first()
      .click();
    await page.keyboard.press('?');
    await settled(page);
    await look('chips and keys');
  }
  expect(found).toEqual([]);
});

/** Rules, or those of `only`, that axe finds broken so that it matters, each with the places. */
async function violations(page: Page, only?: readonly string[]): Promise<string[]> {
  const options = JSON.stringify({ resultTypes: ['violations'], ...(only && { runOnly: only }) });
  const { violations: all } = await page.evaluate<AxeResults>(`axe.run(document, ${options})`);
  return all
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
    );
}

describe('with the keyboard', () => {
  test('Tab comes to all that can be used, in every tab', async () => {
    const page = await visit(url + traces[0][1]);
    for (const tab of TABS) {
      await openTab(page, tab);
      // Of a group of tabs one is in the order, arrows go to the others; what a tree's row opens with, its arrows do.
      const usable = await page.evaluate<number>(`(() => {
        window.usable = new Set([...document.querySelectorAll('button, select, input, [tabindex]')].filter((one) =>
          one.tabIndex >= 0 && !one.disabled && one.checkVisibility()));
        return window.usable.size;
      })()`);
      expect(usable).toBeGreaterThan(20);
      const left = () => page.evaluate<number>('window.usable.delete(document.activeElement), window.usable.size');
      for (let presses = 0; (await left()) > 0 && presses < usable + 20; presses++) await page.keyboard.press('Tab');
      const missed = await page.evaluate<string[]>('[...window.usable].map((one) => one.outerHTML.slice(0, 200))');
      expect(missed, tab).toEqual([]);
    }
  });

  test('"?" lists the keys, and Esc closes the list', async () => {
    const page = await visit(url);
    await page.keyboard.press('?');
    const keys = page.getByRole('region', { name: 'keys' });
    const listed = await keys.locator('kbd').allTextContents();
    for (const key of ['1', '9', 'h', 'i', 'u', 'c', 'f', 'g', 'z', 'x', '[', ']', '?', 'Escape', 'e', 'Enter']) {
      expect(listed).toContain(key);
    }
    await page.keyboard.press('Escape');
    await keys.waitFor({ state: 'detached' });
  });

  test('tabs go by number and by arrows', async () => {
    const page = await visit(url);
    for (const [i, tab] of TABS.entries()) {
      await page.keyboard.press(String(i + 1));
      await settled(page);
      expect(await page.getByRole('tab', { selected: true }).textContent()).toBe(tab);
    }
    await tabTo(page, page.getByRole('tab', { name: 'Recording' }));
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { selected: true }).textContent()).toBe('Findings');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    expect(await page.getByRole('tab', { selected: true }).textContent()).toBe('GC heap');
  });

  test('a tree is walked, closed, and opened along its hot path', async () => {
    const page = await visit(`${url}?tab=tree`);
    const rows = page.getByRole('treegrid', { name: 'call tree' }).locator('[aria-level]');
    const levels = async () => {
      await settled(page);
      return rows.evaluateAll((all) => all.map((row: { ariaLevel: string }) => Number(row.ariaLevel)));
    };
    const opened = await levels();
    expect(Math.max(...opened)).toBeGreaterThan(1);
    await page.keyboard.press('g');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    expect((await levels()).length).toBeLessThan(opened.length);
    await page.keyboard.press('ArrowRight');
    expect(await levels()).toContain(2);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('e');
    expect(await levels()).toEqual(opened);
    const selected = page.getByRole('row', { selected: true });
    expect(await selected.textContent()).toContain('LoadCustomerAttachments');
    // A row that is open is closed first: whether this one has anything below depends on what was sampled.
    if ((await selected.getAttribute('aria-expanded')) === 'true') await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await settled(page);
    expect(await selected.textContent()).toContain('Program.Main');
  });

  test('the flame graph is walked, zoomed and searched', async () => {
    const page = await visit(`${url}?tab=flame`);
    await page.keyboard.press('g');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await settled(page);
    const fn = () => new URL(page.url()).searchParams.get('fn');
    const inner = fn();
    await page.keyboard.press('ArrowUp');
    await settled(page);
    expect(fn()).not.toBe(inner);
    await page.keyboard.press('ArrowRight');
    await settled(page);
    const width = async () => {
      await settled(page);
      return (await page.locator('.flame-box.current').boundingBox())!.width;
    };
    const all = (await page.locator('.flame-level').first().boundingBox())!.width;
    const narrow = await width();
    expect(narrow).toBeLessThan(all / 2);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'show all' }).waitFor();
    expect(await width()).toBeCloseTo(all, 0);
    await page.keyboard.press('Backspace');
    expect(await width()).toBe(narrow);
    await page.keyboard.press('/');
    await page.keyboard.type('attachments');
    await expect.poll(() => page.locator('.flame-box.found').count()).toBe(1);
  });

  test('panes are resized by arrows, and stay so', async () => {
    const page = await visit(url);
    for (const [name, bigger, pane, side] of [
      ['size of the timeline', 'ArrowDown', '.chart', 'height'],
      ['size of the filters', 'ArrowRight', 'nav.filters', 'width'],
      ['size of the code', 'ArrowLeft', 'aside.code', 'width'],
    ] as const) {
      const size = async () => (await page.locator(pane).boundingBox())![side];
      const before = await size();
      await tabTo(page, page.getByRole('separator', { name }).filter({ visible: true }));
      await page.keyboard.press(bigger);
      await expect.poll(size).toBe(before + 20);
      await page.reload();
      await settled(page);
      expect(await size()).toBe(before + 20);
    }
  });

  test('colours are chosen, and stay so', async () => {
    const page = await visit(url, { colorScheme: 'light' });
    const back = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await back();
    await tabTo(page, page.getByRole('button', { name: /^colours/ }));
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    expect(await back()).not.toBe(light);
    await page.reload();
    await settled(page);
    expect(await back()).not.toBe(light);
  });
});
