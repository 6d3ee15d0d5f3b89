import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { chromiumPath } from '../../scripts/chromium.mjs';

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox', '--disable-gpu'] });
}

export interface Shown {
  readonly page: Page;
  /** What it asked for beside itself, and said on its console. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
}

/** Opens a file as a reader would, noting what it does. */
export async function show(browser: Browser, file: string, width = 1280, colorScheme?: 'dark'): Promise<Shown> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: colorScheme ?? 'light' });
  const requests: string[] = [];
  const complaints: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('request', (request) => request.url() !== url && requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  return { page, requests, complaints };
}

/** What axe finds against WCAG 2 A and AA and best practice: one line per rule, with the first element. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate<string[]>(
    'axe.run().then(({ violations }) => violations.map(({ id, help, nodes }) => [id, help, nodes[0].html].join(": ")))',
  );
}
