import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { chromiumPath } from '../../scripts/chromium.mjs';
import type { Answer } from '../../src/query/rows.ts';
import { accuracyText, shownText } from '../../src/wording/rows.ts';
import { ROOT } from '../support/root.ts';

/** A machine with other work is slow, and what never comes must still end the test. */
const PATIENCE_MS = 60_000;

export interface VisitOptions extends BrowserContextOptions {
  /** What the page may complain of in this test: a console line or failed request that holds one of these is no failure. */
  readonly expected?: readonly string[];
  /** Prepares what the page is opened in. */
  readonly before?: (context: BrowserContext) => Promise<unknown>;
}

/**
 * One browser for the calling test file, and what opens a page in it. Each page has its own storage, and its test fails
 * when anything was written to the console as an error, thrown, or could not be loaded.
 */
export function useBrowser(): (url: string, options?: VisitOptions) => Promise<Page> {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: chromiumPath(),
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
    });
  });
  afterAll(() => browser?.close());

  return async (url, { expected = [], before, ...options } = {}) => {
    const context = await browser.newContext({ viewport: { width: 1600, height: 900 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await before?.(context);
    const page = await context.newPage();
    const problems = complaintsOf(page);
    onTestFinished(async () => {
      await context.close();
      expect(problems.filter((text) => !expected.some((part) => text.includes(part)))).toEqual([]);
    });
    await page.goto(url);
    await settled(page);
    return page;
  };
}

/** All that goes wrong in `page`, from now on; what the page takes back itself (net::ERR_ABORTED) is not wrong. */
function complaintsOf(page: Page): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      problems.push(`${message.text()} ${message.location().url}`);
    }
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    if (why !== 'net::ERR_ABORTED') problems.push(`${why} ${request.url()}`);
  });
  return problems;
}

/**
 * True when there is something to see and nothing is waited for, and was not while some frames were drawn: effects run after
 * a frame, and ask.
 */
const IS_SETTLED = `new Promise((done) => {
  const has = (selector) => document.querySelector(selector) !== null;
  const isWaiting = () => !has('main, .notice.error, .notice progress') || has('.waiting');
  const look = (frames) => {
    if (isWaiting() || frames === 0) done(!isWaiting());
    else requestAnimationFrame(() => setTimeout(() => look(frames - 1)));
  };
  look(3);
})`;

/** Waits until all that was asked is answered and drawn. */
export async function settled(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate<boolean>(IS_SETTLED), { interval: 20 }).toBe(true);
}

/** Chooses a tab by its name. */
export async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name, exact: true }).click();
  await settled(page);
}

/** What the header says is shown: "all 2.95 GiB allocated · sampled ±0.1 %". */
export const shown = async (page: Page): Promise<string> => {
  await settled(page);
  return ((await page.locator('output.shown').textContent()) ?? '').replaceAll(/\s+/g, ' ');
};

/** The same of an answer of the command line. */
export const shownOf = (answer: Answer): string => `${shownText(answer)} ${answer.metric} · ${accuracyText(answer)}`;

/** A row of one of the lists of filters. */
export const filterRow = (page: Page, name: string | RegExp): Locator =>
  page.getByRole('navigation', { name: 'filters' }).getByRole('button', { name });

/** A row of the list or tree called `list`, by what it reads. */
export const listRow = (page: Page, list: string, name: RegExp): Locator =>
  page.locator(`main [aria-label="${list}"]`).getByRole('row', { name }).first();

/** The line at which the code pane stands. */
export async function hotLine(page: Page): Promise<{ number: number; figure: string; hint: string; text: string }> {
  await settled(page);
  const line = page.getByRole('region', { name: /^source of/ }).locator('.line.at');
  const figure = line.locator('.figure');
  return {
    number: Number(await line.getAttribute('data-line')),
    figure: (await figure.textContent()) ?? '',
    hint: (await figure.getAttribute('title')) ?? '',
    text: (await line.locator('code').textContent()) ?? '',
  };
}

/** Presses Tab until `target` has the focus. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  const hasFocus = () =>
    target.evaluate((element: { matches(selector: string): boolean }) => element.matches(':focus'));
  for (let presses = 0; !(await hasFocus()); presses++) {
    if (presses > 200) throw new Error(`Tab never comes to ${target}`);
    await page.keyboard.press('Tab');
  }
}

/** The rows that the pane with the list `grid` saves as JSON: exact figures by the titles of its columns. */
export async function savedRows(page: Page, grid?: string): Promise<Record<string, string | number | null>[]> {
  return JSON.parse(await saved(page, 'JSON', grid));
}

/** The file that a pane's button saves. */
export async function saved(page: Page, button: 'JSON' | 'CSV', grid?: string): Promise<string> {
  await settled(page);
  const pane = page
    .locator('main .grid-pane')
    .filter(grid === undefined ? {} : { has: page.locator(`[aria-label="${grid}"]`) });
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    pane.getByRole('button', { name: button, exact: true }).click(),
  ]);
  return readFile(await download.path(), 'utf8');
}

/** With MEMSURGE_PICTURES set, keeps a picture of the page for people, in .build/screenshots; nothing is compared with it. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.MEMSURGE_PICTURES) return;
  const folder = join(ROOT, '.build', 'screenshots');
  mkdirSync(folder, { recursive: true });
  await settled(page);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
