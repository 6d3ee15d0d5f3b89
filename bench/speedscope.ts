import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openTrace } from '../src/read/open.ts';
import { NONE, type Trace } from '../src/trace/tables.ts';
import { WORK } from './peers.ts';
import { heapOf, startBrowser } from './view-browser.ts';

const FOLDER = join(WORK, 'speedscope');
const RELEASE = join(FOLDER, 'node_modules', 'speedscope', 'dist', 'release');

export interface Loaded {
  readonly megabytes: number;
  readonly seconds: number;
  readonly heapMegabytes: number;
}

/**
 * Opens a profile in speedscope in Chromium, served from this machine, until it shows it.
 * @throws Error when it says that it cannot, or does not within `limitSeconds`
 */
export async function loadInSpeedscope(profile: string, limitSeconds: number): Promise<Loaded> {
  if (!existsSync(RELEASE))
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', FOLDER, 'speedscope']);
  const server = createServer(({ url }, response) => {
    const path = new URL(url!, 'http://localhost').pathname;
    if (path.endsWith('.html')) response.setHeader('Content-Type', 'text/html');
    createReadStream(path === '/profile.json' ? profile : join(RELEASE, path)).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const chromium = await startBrowser();
  try {
    const page = await chromium.newPage();
    const start = performance.now();
    await page.goto(`${origin}/index.html#profileURL=${encodeURIComponent(`${origin}/profile.json`)}`);
    const shown = await page.waitForFunction(
      () => (document.body.textContent?.includes('went wrong') ? 'failed' : document.title.includes(' - ') && 'shown'),
      undefined,
      { timeout: limitSeconds * 1000 },
    );
    if ((await shown.jsonValue()) === 'failed') throw new Error('speedscope says that something went wrong');
    const seconds = (performance.now() - start) / 1000;
    return { megabytes: statSync(profile).size / 1e6, seconds, heapMegabytes: await heapOf(page) };
  } finally {
    await chromium.close();
    server.close();
    server.closeAllConnections();
  }
}

/** The trace at `path` in speedscope's own format: a sample for each stack with all its bytes, or one for each allocation. */
export async function speedscopeProfile(path: string, samples: 'stacks' | 'allocations'): Promise<string> {
  const profile = join(WORK, `speedscope-${samples}.json`);
  if (existsSync(profile)) return profile;
  const trace = await openTrace(path);
  const file = openSync(profile, 'w');
  const rows = samples === 'stacks' ? bytesByStack(trace) : trace.allocations;
  const frames = trace.functions.name.map((name) => JSON.stringify({ name })).join();
  writeSync(file, `{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{"frames":[${frames}]},`);
  writeSync(file, '"profiles":[{"type":"sampled","name":"memsurge","unit":"bytes","startValue":0,');
  writeList(file, '"samples"', rows.stack.length, (row) => `[${functionsOf(trace, rows.stack[row])}]`);
  writeSync(file, ',');
  writeList(file, '"weights"', rows.stack.length, (row) => `${Math.round(rows.bytes[row])}`);
  writeSync(file, `,"endValue":${Math.round(sumOf(rows.bytes))}}]}`);
  closeSync(file);
  return profile;
}

function bytesByStack({ allocations }: Trace): { stack: number[]; bytes: number[] } {
  const sums = new Map<number, number>();
  for (let row = 0; row < allocations.length; row++) {
    const stack = allocations.stack[row];
    sums.set(stack, (sums.get(stack) ?? 0) + allocations.bytes[row]);
  }
  return { stack: [...sums.keys()], bytes: [...sums.values()] };
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

/** Root first. */
function functionsOf({ stacks, frames }: Trace, stack: number): number[] {
  const functions: number[] = [];
  for (let at = stack; at !== NONE; at = stacks.prefix[at]) functions.push(frames.function[stacks.frame[at]]);
  return functions.reverse();
}

function writeList(file: number, name: string, length: number, item: (row: number) => string): void {
  writeSync(file, `${name}:[`);
  for (let row = 0; row < length; ) {
    const items: string[] = [];
    const before = row > 0 ? ',' : '';
    for (const end = Math.min(length, row + 10_000); row < end; row++) items.push(item(row));
    writeSync(file, before + items.join());
  }
  writeSync(file, ']');
}
