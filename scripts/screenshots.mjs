// Makes docs/view-*.png, the README's pictures, by clicking through both stories: node scripts/screenshots.mjs (after
// npm run demo; needs Chromium).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { chromiumPath } from './chromium.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const demo = (story) => join(root, '.build', 'demo', `${story}.memsurge`);

const server = spawn(
  process.execPath,
  [join(root, 'bin', 'memsurge.js'), 'view', '--no-open', demo('story1'), demo('story2')],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const [line] = await once(server.stdout.setEncoding('utf8'), 'data');
const url = /http:\S+/.exec(line)[0];
const browser = await chromium.launch({
  executablePath: chromiumPath(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

await picture('view-managed', 'light', [
  (page) => page.getByRole('button', { name: /^\.NET memory allocations/ }).click(),
  (page) => page.getByRole('button', { name: /^large object heap/ }).click(),
  (page) => page.getByRole('button', { name: /^System\.Byte\[\]/ }).click(),
  (page) => page.getByRole('tab', { name: 'Hotspots' }).click(),
  (page) => page.getByRole('row', { name: /LoadCustomerAttachments/ }).click(),
]);
await picture('view-native', 'dark', [
  (page) => page.getByLabel('trace').selectOption({ label: 'story2.memsurge' }),
  (page) => page.getByRole('button', { name: /^native heap/ }).click(),
  (page) => page.getByRole('tab', { name: 'Call tree' }).click(),
  (page) => page.getByRole('row', { name: /HeapMalloc1/ }).click(),
]);
await browser.close();
server.kill();

async function picture(name, colorScheme, clicks) {
  const page = await browser.newPage({ viewport: { width: 1500, height: 800 }, colorScheme });
  await page.goto(url);
  for (const click of clicks) {
    await click(page);
    await page.waitForLoadState('networkidle');
  }
  await page.locator('.line.hot').first().waitFor();
  await page.screenshot({ path: join(root, 'docs', `${name}.png`) });
  await page.close();
}
