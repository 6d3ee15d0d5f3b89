import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_VIEW, DIMENSIONS, FACETS, type View } from '../src/trace/view.ts';
import { viewToParams } from '../src/trace/view-params.ts';
import { median, medianRatio, printResult } from './measure.ts';
import { loadInSpeedscope, speedscopeProfile } from './speedscope.ts';
import { LARGE, syntheticTrace, TINY, type TraceSize } from './synthetic-nettrace.ts';
import { clickThrough, heapOf, startBrowser } from './view-browser.ts';
import { startViewServer, type ViewServer } from './view-server.ts';

// The page on 10 million allocations and 100,000 stacks: node scripts/bench.mjs view [ROUNDS [load|questions|browser|speedscope]]
// Answers are never kept by View; every View here is asked once per question.

const ROUNDS = Number(process.argv[2] ?? 9);
const PART = process.argv[3];
const FILE = syntheticTrace(LARGE);

if (PART === undefined || PART === 'load') await load();
if (PART === undefined || PART === 'questions') await questions();
if (PART === undefined || PART === 'browser') await browser();
if (PART === undefined || PART === 'speedscope') await speedscope();
console.log(`load average ${loadavg().map((load) => load.toFixed(1))}`);

/** From the start to the page and to what it shows first, against a process that reads the file and ends. */
async function load(): Promise<void> {
  const reading: number[] = [];
  const page: number[] = [];
  const view: number[] = [];
  const readFile = () => {
    const start = performance.now();
    execFileSync(process.execPath, [join(import.meta.dirname, 'read-once.js'), 'open', FILE]);
    reading.push(performance.now() - start);
  };
  const showFile = async () => {
    const server = await startViewServer(FILE);
    await server.ready();
    await firstView(server);
    page.push(server.toFirstByte);
    view.push(server.age());
    await server.stop();
  };
  for (let round = 0; round < Math.min(ROUNDS, 5); round++) {
    if (round % 2 === 0) readFile();
    await showFile();
    if (round % 2 === 1) readFile();
  }
  printResult(
    'view: to the first view, seconds',
    ['what', 'seconds', 'times reading'],
    [
      ['reading the file', median(reading) / 1000, 1],
      ['first byte of the page', median(page) / 1000, medianRatio(page, reading)],
      ['first view: report, timeline, functions', median(view) / 1000, medianRatio(view, reading)],
    ],
  );
}

async function firstView(server: ViewServer): Promise<void> {
  const params = (own: Record<string, string>) => new URLSearchParams(own);
  await Promise.all([
    server.ask('report', params({})),
    server.ask('timeline', params({ buckets: '200' })),
    server.ask('top', params({ by: 'function' })),
  ]);
}

async function questions(): Promise<void> {
  const server = await startViewServer(FILE);
  await server.ready();
  await firstView(server);
  const loaded = server.memory();
  const { recording } = (await server.ask('facts', new URLSearchParams())) as { recording: { duration: number } };
  const views = newViews(recording.duration);
  const rows: (string | number)[][] = [];
  for (const [name, question, own] of asked()) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS + 3; round++) {
      const params = viewToParams(views());
      for (const [param, value] of Object.entries(own)) params.set(param, value);
      const start = performance.now();
      await server.ask(question, params);
      times.push(performance.now() - start);
    }
    rows.push([name, median(times), Math.max(...times)]);
  }
  printResult('view: ms per question with a new View, over HTTP', ['question', 'median', 'worst'], rows);
  await together(server, views);
  const after = server.memory();
  printResult(
    'view: resident set of the server, MB',
    ['when', 'now', 'at most'],
    [
      ['first view shown', loaded.now, loaded.peak],
      ['all questions asked', after.now, after.peak],
    ],
  );
  await server.stop();
}

/** A quick question alone, and while a slow one is answered. */
async function together(server: ViewServer, views: () => View): Promise<void> {
  const quick = async () => {
    const start = performance.now();
    await server.ask('heap', new URLSearchParams());
    return performance.now() - start;
  };
  const alone: number[] = [];
  const beside: number[] = [];
  const slow: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(await quick());
    const start = performance.now();
    const answered = server.ask('report', viewToParams(views())).then(() => slow.push(performance.now() - start));
    await new Promise((resolve) => setTimeout(resolve, 5));
    beside.push(await quick());
    await answered;
  }
  printResult(
    'view: a quick question beside a slow one, ms',
    ['what', 'median', 'worst'],
    [
      ['heap alone', median(alone), Math.max(...alone)],
      ['heap while a report is made', median(beside), Math.max(...beside)],
      ['that report', median(slow), Math.max(...slow)],
    ],
  );
}

/** Name, question and its own parameters. */
function asked(): [string, string, Record<string, string>][] {
  const of = 'Shop.Class0.Method0';
  return [
    ['report', 'report', {}],
    ...DIMENSIONS.map((by): [string, string, Record<string, string>] => [`top ${by}`, 'top', { by }]),
    ...Object.keys(FACETS).map((by): [string, string, Record<string, string>] => [`facet ${by}`, 'facet', { by }]),
    ['tree', 'tree', { direction: 'callees' }],
    ['tree of callers', 'tree', { direction: 'callers' }],
    ['around', 'around', { of }],
    ['code', 'code', { of }],
    ['timeline', 'timeline', { buckets: '200' }],
    ['lanes', 'lanes', { buckets: '200' }],
    ['heap', 'heap', {}],
  ];
}

/** Views that nobody asked before: filters of each sort in turn, with other values each time. */
function newViews(duration: number): () => View {
  let n = 0;
  const thread = () => `thread ${1 + (n % 12)}`;
  const shapes: (() => Partial<View>)[] = [
    () => ({ types: [`Shop.Model.Type${n}`] }),
    () => ({ threads: [thread()], types: [`*Type${n % 10}*`] }),
    () => ({ from: n * 1e6, to: duration * 0.9 }),
    () => ({ heaps: ['soh'], from: n * 1e6 }),
    () => ({ from: duration * 0.4 + n * 1e6, to: duration * 0.6 }),
    () => ({ heaps: ['loh'], threads: [thread()], hideSystem: n % 2 === 0, to: duration - n }),
    () => ({ modules: ['Orm'], types: [`Shop.Model.Type${n % 600}`] }),
    () => ({ threads: [thread()], to: duration * 0.7 + n * 1e6 }),
    () => ({ functions: [`Shop.Class${(n * 8) % 400}.Method${n * 8}`] }),
  ];
  return () => {
    n++;
    return { ...DEFAULT_VIEW, ...shapes[n % shapes.length]() };
  };
}

async function browser(): Promise<void> {
  const results: (string | number)[][] = [];
  for (const size of [TINY, LARGE]) results.push(await browse(size));
  printResult('view: in Chromium', ['trace', 'click to redrawn ms', 'worst', 'JS heap MB'], results);
}

async function browse(size: TraceSize): Promise<(string | number)[]> {
  const server = await startViewServer(syntheticTrace(size));
  await server.ready();
  const chromium = await startBrowser();
  const page = await chromium.newPage();
  const times = await clickThrough(page, server.url, ROUNDS + 3);
  const heap = await heapOf(page);
  await chromium.close();
  await server.stop();
  return [size.name, median(times), Math.max(...times), heap];
}

/** The same stacks in speedscope: a sample for each stack, then one for each allocation, as a profiler would write it. */
async function speedscope(): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const samples of ['stacks', 'allocations'] as const) {
    const profile = await speedscopeProfile(FILE, samples);
    try {
      const { megabytes, seconds, heapMegabytes } = await loadInSpeedscope(profile, 180);
      rows.push([samples, megabytes, seconds, heapMegabytes]);
    } catch (error) {
      rows.push([samples, statSync(profile).size / 1e6, `not shown: ${String(error).split('\n')[0]}`, '-']);
    }
  }
  printResult('view: speedscope', ['a sample for each of', 'file MB', 'seconds', 'JS heap MB'], rows);
}
