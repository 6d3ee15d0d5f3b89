/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { type Browser, chromium, type Page } from 'playwright-core';

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}

/** ms from clicks on filters to the list redrawn with all lists around it, one click after the other. */
export async function clickThrough(page: Page, url: string, clicks: number): Promise<number[]> {
  await page.goto(`${url}?tab=hotspots`);
  await page.locator('main .grid-row[aria-rowindex="2"]').waitFor({ timeout: 300_000 });
  await page.locator('.filters .facet-row[aria-pressed]').first().waitFor();
  const times: number[] = [];
  for (let click = 0; click < clicks; click++) {
    await settled(page);
    times.push(await page.evaluate(clickAndWait, click));
  }
  return times;
}

async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('.waiting') === null);
}

/** Runs in the page: clicks row `click` of the lists of types and threads in turn, which makes a View never seen before. */
function clickAndWait(click: number): Promise<number> {
  const list = click % 2 === 0 ? 'Type' : 'Thread';
  const facet = [...document.querySelectorAll('.facet')].find((one) =>
    one.querySelector('h2')?.textContent?.startsWith(list),
  );
  const rows = facet?.querySelectorAll<HTMLButtonElement>('.facet-row[aria-pressed="false"]:not(:disabled)') ?? [];
  return new Promise((resolve) => {
    let wasWaiting = false;
    const isWaiting = () => document.querySelector('.waiting') !== null;
    new MutationObserver(() => {
      wasWaiting ||= isWaiting();
    }).observe(document.body, { subtree: true, attributeFilter: ['class'] });
    const start = performance.now();
    rows[(click >> 1) % rows.length].click();
    const look = () => {
      if (wasWaiting && !isWaiting()) resolve(performance.now() - start);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

/** MB of the page's JavaScript heap after a collection. */
export async function heapOf(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.enable');
  await devtools.send('HeapProfiler.collectGarbage');
  await devtools.send('Performance.enable');
  const { metrics } = await devtools.send('Performance.getMetrics');
  await devtools.detach();
  return metrics.find(({ name }) => name === 'JSHeapUsedSize')!.value / 2 ** 20;
}
