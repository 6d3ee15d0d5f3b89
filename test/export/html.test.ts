import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reportCommand } from '../../src/cli/commands/report.ts';
import { html, markupOf } from '../../src/export/html/markup.ts';
import { pageOf } from '../../src/export/html/page.ts';
import { report, reportViews } from '../../src/query/report.ts';
import { top } from '../../src/query/top.ts';
import { type TreeRow, tree } from '../../src/query/tree.ts';
import { openTrace } from '../../src/read/open.ts';
import { TraceError } from '../../src/trace/errors.ts';
import { traceFromText } from '../../src/trace/from-text.ts';
import type { Trace } from '../../src/trace/tables.ts';
import { DEFAULT_VIEW, type Dimension, type View } from '../../src/trace/view.ts';
import { runOn } from '../cli/shell.ts';
import { shop, traces, views } from '../query/traces.ts';
import { writeRecording } from '../support/traces.ts';
import { accessibilityFaults, show, startBrowser } from './browser.ts';

const HOSTILE = `<script>alert(1)</script>"><img src=x onerror=alert(2)>'&amp;\u202e</style><!--`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'memsurge-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Managed and native memory of a server, with what of the native is resident. */
const mixed = (): Trace =>
  traceFromText(`
process  7  server  allocation-sampled
0.2s  worker  soh  System.String  1048576 x9000  app!Server.Main (/src/Main.cs:3) > app!Server.Handle (/src/Main.cs:8)
0.9s  worker  loh  System.Byte[]  9437184  app!Server.Main (/src/Main.cs:3) > app!Server.Load (/src/Main.cs:19)
native-allocated  0.3s  worker  33554432 x8  app!Server.Main (/src/Main.cs:3) > libleak.so!leak (/src/leak.c:8)
native-allocated  0.6s  io  16777216 x4  libio.so!buffer (/src/io.c:2)
native-released  0.7s  io  8388608 x2  libio.so!buffer (/src/io.c:2)
native-measured  0.8s  worker  4096 x1  app!Server.Main (/src/Main.cs:3) > libleak.so!leak (/src/leak.c:8)
native-resident  0.8s  worker  4096 x1  app!Server.Main (/src/Main.cs:3) > libleak.so!leak (/src/leak.c:8)
gc  1  0.4s  0.41s  gen1  gen0=4096/1024  gen1=65536/0
rss  0.1s=20971520  0.5s=45829120  1s=61658240
`);

const hostile = (): Trace =>
  traceFromText(
    `
process  1  ${HOSTILE.replaceAll('  ', ' ')}  exact
0.1s  ${HOSTILE}  loh  ${HOSTILE}  4096  app${HOSTILE.replaceAll('!', '')}!${HOSTILE} (/src/${HOSTILE.replaceAll(/[()]/g, '')}.cs:9)
0.2s  main  soh  A  100  app!Main
gc  1  0.1s  0.12s  gen2  loh=4096/0
`,
    { warnings: [HOSTILE] },
  );

function pageOn(trace: Trace, asked: View = DEFAULT_VIEW): string {
  const answers = reportViews(trace, asked, asked.metric !== 'allocated').map((view) => report(trace, view));
  return pageOf(trace, answers, { asked, version: '1.2.3', processes: 3, commands: ['memsurge heap x'], sources: [] });
}

/** What no page may hold: a way to run or to load anything, or text that was not escaped. */
function expectHarmless(page: string): void {
  expect(page).not.toMatch(/<script|https?:|<(img|link|iframe|object|embed|base|form|a)\b|url\(|@import/i);
  expect(page).not.toMatch(/<[^>]*\s(on\w+|src|href|srcset)=/i);
  expect(page).toContain(
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
  );
}

describe('the template', () => {
  test('escapes all but its own pieces, in text and in attributes', () => {
    const piece = html`<b title="${'"<&>\''}">${'<i>'}</b>`;
    expect(markupOf(html`${[piece, piece]}${false}${undefined}${3}`)).toBe(
      `${'<b title="&#34;&lt;&amp;&gt;&#39;">&lt;i&gt;</b>'.repeat(2)}3`,
    );
  });

  test('text cannot leave its place, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(markupOf(text)).not.toMatch(/[<>"'\u0000-\u0008\u202a-\u202e]|&(?!(amp|lt|gt|#34|#39);)/);
      }),
    );
  });
});

describe('the page', () => {
  test('says what it shows, the findings, and how to look further', () => {
    const page = pageOn(mixed(), { ...DEFAULT_VIEW, threads: ['worker'], to: 9e8 });
    for (const text of [
      'thread: worker; to 900 ms',
      'Native heap: who allocated what was not released by 900 ms',
      'leak.c:8',
    ])
      expect(page).toContain(text);
    expect(page).toContain('2026-01-01 00:00:00 UTC · 1.00 s · .NET 10.0.12 · memsurge 1.2.3');
    expect(page).toContain('memsurge heap x');
    expect(page).toContain(
      '1 collection (0 of generation 0, 1 of 1, 0 of 2) paused the program for 10.0 ms altogether',
    );
    expect(pageOn(mixed(), { ...DEFAULT_VIEW, kinds: ['gc-heap'], from: 1e8 })).toContain(
      'kind of memory: .NET memory allocations; from 100 ms',
    );
    expect(page, 'paths are not shown').not.toContain('/src/');
  });

  test('puts the warnings before the findings', () => {
    const page = pageOn(traceFromText('1ms  main  soh  A  100', { warnings: ['5 events were lost'] }));
    expect(page.indexOf('5 events were lost')).toBeGreaterThan(0);
    expect(page.indexOf('5 events were lost')).toBeLessThan(page.indexOf('Findings'));
  });

  test('of an empty trace says so', () => {
    const page = pageOn(traceFromText('process  1  app  none'));
    expect(page).toContain('the trace holds no allocations');
    expectHarmless(page);
  });

  test('escapes names that would be markup', () => {
    const page = pageOn(hostile());
    expectHarmless(page.replaceAll(/&lt;img src=x onerror=alert\(2\)&gt;/g, ''));
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/');
    expect(page).not.toContain('\u202e');
  });

  test('of any trace and view is harmless, or the question is refused in words', () => {
    fc.assert(
      fc.property(traces, views, (trace, view) => {
        try {
          const page = pageOn(trace, view);
          expectHarmless(page);
          expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
        } catch (error) {
          if (!(error instanceof TraceError)) throw error;
        }
      }),
      { numRuns: 60 },
    );
  });

  test('stays small however much the trace holds, and says what it left out', () => {
    const page = pageOn(huge(), {
      ...DEFAULT_VIEW,
      types: Array.from({ length: 40 }, (_, i) => `*${i}${'&'.repeat(500)}`).concat('*'),
    });
    expect(Buffer.byteLength(page)).toBeLessThan(1.5e6);
    expect(page).toMatch(/Pruned to the 150 heaviest nodes; \d{3,} more branches are in “other”/);
    expect(page).toMatch(/other \(\d+ more\)/);
    expect(page).toContain('and 80 more processes');
    expect(page).toMatch(/and \d+ more<\/li>/);
    expect(page).toMatch(/12 of 400: the first, the largest, the last/);
    expect(page, 'escapes stay whole where names are cut').not.toMatch(/&(?!(amp|lt|gt|#34|#39);)/);
  });
});

/** Many processes, types, threads, functions and collections, all with long names. */
function huge(): Trace {
  const long = (name: string) => `${name}<${'&'.repeat(250)}>${name}`;
  const lines: string[] = [];
  for (let process = 0; process < 100; process++) {
    lines.push(`process  ${process + 1}  ${long(`p${process}`)}  exact`);
    for (let i = 0; i < 4; i++) {
      const stack = Array.from(
        { length: 12 },
        (_, depth) =>
          `${long('m')}!f${(i * 7 + depth * depth * process) % 900}${'&'.repeat(300)} (/s/${'&'.repeat(90)}${depth}.cs:${depth + 1})`,
      );
      lines.push(
        `${i + 1}ms  ${long(`t${i}`)}  soh  ${long(`T${process}.${i}`)}  ${1000 * i + process}  ${stack.join(' > ')}`,
      );
      lines.push(`native-allocated  ${i + 1}ms  t${i}  ${5000 * i + process}  ${stack.join(' > ')}`);
      lines.push(`gc  ${i + 1}  ${i + 1}ms  ${i + 2}ms  gen2  loh=4096/0`);
    }
    lines.push('rss  1ms=2000  9ms=90000');
  }
  return traceFromText(lines.join('\n'), {
    warnings: Array.from({ length: 200 }, (_, i) => `${i} ${'&'.repeat(5000)}`),
  });
}

describe('report --html', () => {
  test('writes the page, and says how large it is', async () => {
    const path = join(folder, 'written.html');
    const { out, err, code } = await runOn(shop(), reportCommand, ['--html', path]);
    expect({ out, code }).toEqual({ out: '', code: 0 });
    expect(err).toMatch(/^memsurge: wrote .*written\.html \([\d.]+ KiB\)\n$/);
    const page = await readFile(path, 'utf8');
    expectHarmless(page);
    expect(page).toContain('memsurge code app.memsurge Shop.Program.LoadCustomerAttachments');
    expect((await runOn(shop(), reportCommand, ['--html', path, '--type', 'System.String'])).code).toBe(0);
    expect(await readFile(path, 'utf8'), 'replaced').toContain('type: System.String');
    expect(await readdir(folder), 'nothing is left beside it').not.toContainEqual(expect.stringContaining('.part'));
  });

  test('a link stays a link to what was replaced', async () => {
    const [target, link] = [join(folder, 'target.html'), join(folder, 'link.html')];
    await writeFile(target, '');
    await symlink(target, link);
    expect((await runOn(shop(), reportCommand, ['--html', link])).code).toBe(0);
    expect((await stat(target)).size).toBeGreaterThan(10_000);
  });

  test('holds source only when it is asked for', async () => {
    const source = join(folder, 'Shop.cs');
    await writeFile(source, Array.from({ length: 40 }, (_, i) => `// "line" <${i + 1}>`).join('\n'));
    const trace = traceFromText(
      `0.5s  main  loh  System.Byte[]  104857600  app!Shop.Main (${source}:9) > app!Shop.Load (${source}:27)`,
    );
    const path = join(folder, 'source.html');
    await runOn(trace, reportCommand, ['--html', path]);
    expect(await readFile(path, 'utf8')).not.toContain('line&#34; &lt;27&gt;');
    // Nothing says that this file is what was compiled: it is shown only below a folder that the user vouches for.
    await runOn(trace, reportCommand, ['--html', path, '--with-source']);
    expect(await readFile(path, 'utf8')).not.toContain('line&#34; &lt;27&gt;');
    await runOn(trace, reportCommand, ['--html', path, '--with-source', '--source-root', folder]);
    const page = await readFile(path, 'utf8');
    expectHarmless(page);
    for (const line of [22, 27, 32]) expect(page).toContain(`// &#34;line&#34; &lt;${line}&gt;`);
    for (const line of [21, 33]) expect(page).not.toContain(`&lt;${line}&gt;`);
    expect(page).toMatch(
      /<tr class="hot">\s*<td class="n">100 MiB<\/td>\s*<td class="n">100 %<\/td>\s*<th scope="row" class="n">27</,
    );
  });

  test('what was not found says where it was looked for', async () => {
    const path = join(folder, 'missing.html');
    await runOn(shop(), reportCommand, ['--html', path, '--with-source']);
    expect(await readFile(path, 'utf8')).toContain('source not found: looked in the trace and at /src/Program.cs');
  });

  test.each([
    [['--html', 'x.html', '--json'], /cannot be used with option '--json'/],
    [['--with-source'], /^memsurge: --with-source needs --html\n$/],
    [['--html', '/nowhere/x.html'], /^memsurge: cannot write \/nowhere\/x\.html: no such file or folder\n$/],
    [['--html', '/dev/full'], /^memsurge: cannot write \/dev\/full: no space left on the device\n$/],
    [['--html', tmpdir()], /^memsurge: .* is a folder; give the name of a file\n$/],
  ])('refuses %j in one line', async (args, message) => {
    const { err, out, code } = await runOn(shop(), reportCommand, args);
    expect(err).toMatch(message);
    expect({ out, code }).toEqual({ out: '', code: 2 });
  });

  test('does not replace what is no page', async () => {
    const path = join(folder, 'precious.memsurge');
    await writeFile(path, 'PK precious');
    const { err, code } = await runOn(shop(), reportCommand, ['--html', path]);
    expect({ err, code }).toEqual({
      err: `memsurge: ${path} exists and is no HTML page; choose another name\n`,
      code: 2,
    });
    expect(await readFile(path, 'utf8')).toBe('PK precious');
  });
});

describe('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  async function shown(name: string, trace: Trace, width?: number, scheme?: 'dark') {
    const path = join(folder, `${name}.html`);
    await writeFile(path, pageOn(trace));
    return show(browser, path, width, scheme);
  }

  const recorded = () => openTrace(writeRecording(folder, `recorded-${Math.random()}`));

  test.each([
    ['shop', async () => shop()],
    ['mixed', async () => mixed()],
    ['recorded', recorded],
    ['hostile', async () => hostile()],
    ['empty', async () => traceFromText('process  1  app  none')],
  ])('%s loads nothing, complains of nothing, fits, and is accessible', async (name, make) => {
    for (const [width, scheme] of [[1280], [420], [1280, 'dark']] as const) {
      const { page, requests, complaints } = await shown(name, await make(), width, scheme);
      expect({ requests, complaints }).toEqual({ requests: [], complaints: [] });
      expect(await page.evaluate('document.documentElement.scrollWidth'), 'no scrolling aside').toBe(width);
      expect(await page.evaluate('document.images.length + document.scripts.length')).toBe(0);
      expect(await accessibilityFaults(page)).toEqual([]);
      await page.close();
    }
  });

  test.each([
    ['shop', async () => shop()],
    ['mixed', async () => mixed()],
    ['recorded', recorded],
  ])('the tables and trees of %s have the figures of the queries', async (name, make) => {
    const trace = await make();
    const { page } = await shown(name, trace);
    const tables = await page.evaluate<ShownTable[]>(`[...document.querySelectorAll('table.rows')].map((table) => ({
      by: table.querySelector('caption').textContent.replace('By ', ''),
      bytes: [...table.querySelectorAll('tbody tr')].map((row) =>
        Number(row.querySelector('td.n').title.replace(/,| bytes/g, ''))),
    }))`);
    const asked = reportViews(trace, DEFAULT_VIEW, false).map((view) => ({ ...view, hideSystem: true }));
    const expected = asked.flatMap((view) =>
      (['process', 'heap', 'type', 'thread', 'function', 'line'] as Dimension[])
        .map((by) => ({ view, by, rows: top(trace, view, by, 15).rows }))
        .filter(
          ({ by, rows }) => tables.some((table) => table.by === by) && !['none', '[no type]'].includes(rows[0].name),
        ),
    );
    expect(tables).toEqual(expected.map(({ by, rows }) => ({ by, bytes: rows.map((row) => Math.round(row.bytes)) })));
    tables.forEach(({ by, bytes }, i) => {
      const { total } = top(trace, expected[i].view, 'kind');
      const sum = bytes.reduce((all, row) => all + row, 0);
      expect(Math.abs(sum - total.bytes), `by ${by}, but for rounding`).toBeLessThanOrEqual(bytes.length);
    });
    const nodes = await page.evaluate("document.querySelector('.tree').querySelectorAll('.node').length");
    expect(nodes).toBe(nodesIn(tree(trace, asked[0], 'callees', { limit: 150 }).rows));
  });

  test('on paper all of the tree is there', async () => {
    const { page } = await shown('paper', twoRoots());
    const heights = () =>
      page.evaluate<number[]>(
        "[...document.querySelectorAll('.tree .node')].map((node) => node.checkVisibility() ? node.offsetHeight : 0)",
      );
    expect(Math.min(...(await heights())), 'closed on the screen').toBe(0);
    await page.emulateMedia({ media: 'print' });
    expect(Math.min(...(await heights()))).toBeGreaterThan(5);
  });
});

const twoRoots = (): Trace =>
  traceFromText('1ms  main  soh  A  200  app!Hot > app!Inner\n2ms  main  soh  A  100  app!Cold > app!Hidden');

interface ShownTable {
  readonly by: string;
  readonly bytes: readonly number[];
}

function nodesIn(rows: readonly TreeRow[]): number {
  return rows.reduce((sum, row) => sum + 1 + nodesIn(row.children), 0);
}
