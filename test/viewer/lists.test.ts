import { beforeAll, describe, expect, test } from 'vitest';
import type { Answer, Row } from '../../src/query/rows.ts';
import type { TreeRow } from '../../src/query/tree.ts';
import type { FACETS } from '../../src/trace/view.ts';
import { rowName } from '../../src/wording/rows.ts';
import { ask, scratchFolder } from '../support/memsurge.ts';
import { writeNettrace } from '../support/traces.ts';
import { filterRow, openTab, saved, savedRows, settled, shown, shownOf, useBrowser } from './browser.ts';
import { serveRead } from './traces.ts';

const visit = useBrowser();
let trace: string;
let url: string;
beforeAll(async () => {
  trace = writeNettrace(await scratchFolder(), 'sampled');
  url = await serveRead(trace);
});

const top = (by: string, ...flags: string[]): Promise<Answer> =>
  ask('top', trace, '--by', by, '--limit', '400', ...flags);
const nameOf = (row: Row) => (row.other ? `other (${row.folded} more)` : row.name);

/** A figure as it stands where the pointer rests. */
const exactly = (value: number, unit: 'bytes' | 'count') => {
  const whole = Math.round(value);
  return `${whole.toLocaleString('en-US')} ${unit === 'bytes' ? 'byte' : 'object'}${whole === 1 ? '' : 's'}`;
};

/** Views as the page's address and as the command line's flags. */
const VIEWS: readonly [string, string[]][] = [
  ['', []],
  ['type=System.String&unit=count', ['--type', 'System.String', '--unit', 'count']],
  ['heap=soh&hide-system=1', ['--heap', 'soh', '--hide-system']],
];

describe.each(VIEWS)('with the view "%s" the page says what the command line says', (query, flags) => {
  test('in the header, Hotspots, Types and Threads', async () => {
    const page = await visit(`${url}?${query}&tab=hotspots`);
    const functions = await top('function', ...flags);
    const { unit } = functions;
    expect(functions.rows.length).toBeGreaterThan(0);
    expect(await shown(page)).toBe(shownOf(functions));
    const figures = (answer: Answer) => answer.rows.map((row) => [nameOf(row), row[unit], row.share]);
    const own = (await savedRows(page)).map((row) => [row.Function, row.Own, row.Share]);
    expect(own).toEqual(figures(functions));
    for (const [tab, by] of [
      ['Types', 'type'],
      ['Threads', 'thread'],
    ]) {
      await openTab(page, tab);
      const column = unit === 'bytes' ? 'Bytes' : 'Objects';
      const rows = (await savedRows(page)).map((row) => [
        row[by === 'type' ? 'Type' : 'Thread'],
        row[column],
        row.Share,
      ]);
      expect(rows).toEqual(figures(await top(by, ...flags)));
    }
  });

  test('in lines, back traces and the call tree', async () => {
    const page = await visit(`${url}?${query}&tab=hotspots`);
    await page.getByRole('button', { name: 'lines', exact: true }).click();
    const lines = await top('line', ...flags);
    expect((await savedRows(page, 'lines')).map((row) => [row.Own, row.Share])).toEqual(
      lines.rows.map((row) => [row[lines.unit], row.share]),
    );
    const outermost = async (list: string) => {
      const { grid, rows } = { grid: page.locator(`main [aria-label="${list}"]`), rows: await savedRows(page, list) };
      const levels = await grid
        .locator('[aria-level]')
        .evaluateAll((all) => all.map((row: { ariaLevel: string }) => row.ariaLevel));
      return rows.filter((_, i) => levels[i] === '1').map((row) => [row.Function, row.Total, row.Share]);
    };
    const roots = (answer: Answer) =>
      (answer.rows as TreeRow[]).map((row) => [nameOf(row), row[answer.unit], row.share]);
    await page.getByRole('button', { name: 'back traces', exact: true }).click();
    const callers = await ask('tree', trace, '--callers', '--limit', '400', ...flags);
    expect((await outermost('back traces')).slice(0, 5)).toEqual(roots(callers).slice(0, 5));
    await openTab(page, 'Call tree');
    const tree = await ask('tree', trace, '--limit', '600', ...flags);
    expect(await outermost('call tree')).toEqual(roots(tree));
  });

  test('in each list of filters', async () => {
    const page = await visit(`${url}?${query}`);
    for (const [title, by] of [
      ['Memory', 'kind'],
      ['GC heap', 'heap'],
      ['Type', 'type'],
      ['Thread', 'thread'],
    ] as const) {
      const without = withoutFlag(flags, by);
      const { rows, unit } = await ask('top', trace, '--by', by, '--limit', '8', ...without);
      const named = rows.filter((row) => !row.other);
      const list = page.locator('.facet', { has: page.getByRole('heading', { name: new RegExp(`^${title}`) }) });
      const titles = await list
        .locator('.facet-row:not(.other)')
        .evaluateAll((all) => all.map((row: { title: string }) => row.title.split('\n').slice(0, 2)));
      expect(titles, by).toEqual(named.map((row) => [rowName(row, by), exactly(row[unit], unit)]));
    }
  });
});

/** The flags without those of one dimension: a list of filters shows what its own filter hides. */
function withoutFlag(flags: readonly string[], by: keyof typeof FACETS): string[] {
  const at = flags.indexOf(`--${by}`);
  return at < 0 ? [...flags] : flags.toSpliced(at, 2);
}

test('a module is listed with what the stacks that hold it allocated', async () => {
  const page = await visit(url);
  const list = page.locator('.facet', { has: page.getByRole('heading', { name: /^Module on the stack/ }) });
  const titles = await list
    .locator('.facet-row')
    .evaluateAll((all) => all.map((row: { title: string }) => row.title.split('\n').slice(0, 2)));
  expect(titles.length).toBeGreaterThan(1);
  for (const [name, figure] of titles) {
    const { total } = await top('kind', '--module', name);
    expect(figure).toBe(exactly(total.bytes, 'bytes'));
  }
});

describe('filters', () => {
  test('narrow by a click, widen by Ctrl and a click, and go away by their chips', async () => {
    const page = await visit(url);
    const all = await shown(page);
    await filterRow(page, /^System\.String /).click();
    expect(await shown(page)).toBe(shownOf(await top('function', '--type', 'System.String')));
    await filterRow(page, /^System\.Byte\[\]/).click({ modifiers: ['Control'] });
    const both = await top('function', '--type', 'System.String', '--type', 'System.Byte[]');
    expect(await shown(page)).toBe(shownOf(both));
    await page.getByRole('button', { name: 'take away type System.String' }).click();
    expect(await shown(page)).toBe(shownOf(await top('function', '--type', 'System.Byte[]')));
    await page.getByRole('button', { name: 'clear all' }).click();
    expect(await shown(page)).toBe(all);
  });

  test('search in a list', async () => {
    const page = await visit(`${url}?tab=types`);
    await page.getByRole('searchbox', { name: 'search types' }).fill('STRING');
    const types = (await savedRows(page)).filter((row) => !String(row.Type).startsWith('other'));
    expect(types.length).toBeGreaterThan(0);
    for (const row of types) expect(row.Type).toMatch(/string/i);
  });

  test('hide system code, count objects, and choose a metric from the header', async () => {
    const page = await visit(`${url}?tab=hotspots`);
    await page.getByRole('checkbox', { name: /hide system/ }).check();
    await page.getByRole('combobox', { name: 'what is counted' }).selectOption('count');
    await page.getByRole('combobox', { name: 'metric' }).selectOption('allocated');
    const expected = await top('function', '--hide-system', '--unit', 'count', '--metric', 'allocated');
    expect(await shown(page)).toBe(shownOf(expected));
    expect((await savedRows(page)).map((row) => row.Own)).toEqual(expected.rows.map((row) => row.count));
  });
});

describe('the search in Hotspots', () => {
  test('finds functions by their module', async () => {
    const page = await visit(`${url}?tab=hotspots`);
    const named = async () =>
      (await savedRows(page)).filter((row) => !/^other /.test(String(row.Function ?? row.Line)));
    const { rows } = await top('function');
    const inLibrary = rows.filter(({ other, module }) => !other && module === 'System.Private.CoreLib');
    expect(inLibrary.length).toBeGreaterThan(0);
    await page.getByRole('searchbox', { name: 'search functions' }).fill('private.corelib');
    await settled(page);
    expect((await named()).map((row) => row.Function).sort()).toEqual(inLibrary.map(({ name }) => name).sort());
  });
});

describe('what is listed', () => {
  test('is copied as text, and saved as CSV and JSON with the same exact rows', async () => {
    const page = await visit(`${url}?tab=types`, { permissions: ['clipboard-read', 'clipboard-write'] });
    const rows = await savedRows(page);
    const csv = (await saved(page, 'CSV')).trimEnd().split('\r\n').map(csvCells);
    expect(csv[0]).toEqual(Object.keys(rows[0]));
    expect(csv.slice(1)).toEqual(
      rows.map((row) => Object.values(row).map((value) => (value === null ? '' : String(value)))),
    );
    await page.getByRole('button', { name: 'Copy' }).click();
    const copied = (): Promise<string> => page.evaluate('navigator.clipboard.readText()');
    await expect.poll(copied).toContain('Bytes');
    const lines = (await copied()).split('\n');
    expect(lines.length).toBe(rows.length + 1);
    rows.forEach((row, i) => void expect(lines[i + 1]).toContain(row.Type));
  });

  test('of a tree is what is open in it', async () => {
    const page = await visit(`${url}?tab=tree`);
    const before = await savedRows(page, 'call tree');
    await page.locator('main [role=row][aria-expanded=false] .twisty').first().click();
    expect((await savedRows(page, 'call tree')).length).toBeGreaterThan(before.length);
  });
});

/** Cells of a line of CSV without line breaks in them. */
function csvCells(line: string): string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .map(([, cell]) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell))
    .slice(0, line.endsWith(',') ? undefined : -1);
}

describe('a function that is selected', () => {
  test('is selected in every pane, and turns up inverted in the tree of callers', async () => {
    const page = await visit(`${url}?tab=hotspots`);
    const [first] = await savedRows(page);
    await page.locator('main [role=grid]').focus();
    await page.keyboard.press('ArrowDown');
    await settled(page);
    const selected = (): Promise<string[]> => page.locator('main [aria-selected=true][role=row]').allTextContents();
    expect((await selected())[0]).toContain(first.Function);
    await openTab(page, 'Call tree');
    await page.getByRole('checkbox', { name: 'callers below' }).check();
    await settled(page);
    expect(new URL(page.url()).searchParams.get('inverted')).toBe('1');
    expect((await selected())[0]).toContain(first.Function);
    await openTab(page, 'Flame graph');
    expect(await page.locator('.flame-box.selected').count()).toBeGreaterThan(0);
    await openTab(page, 'Callers');
    expect(await page.getByRole('heading', { name: /^Callers of/ }).textContent()).toContain(first.Function);
  });
});

test("of a type's name that does not fit the namespaces go first, in the filters and in Types", async () => {
  const page = await visit(`${url}?tab=types`, { viewport: { width: 1000, height: 700 } });
  await settled(page);
  const names: Cut[][] = await page.evaluate(`Array.from(document.querySelectorAll('.type-name'), (name) =>
    Array.from(name.children, (part) => ({
      isNamespace: part.className === 'namespace',
      cut: part.scrollWidth > part.clientWidth + 1,
      width: part.clientWidth,
    })))`);
  expect(names.some((parts) => parts.some(({ isNamespace, cut }) => isNamespace && cut))).toBe(true);
  for (const parts of names.filter((one) => one.some(({ isNamespace, cut }) => !isNamespace && cut)))
    for (const { isNamespace, width } of parts) if (isNamespace) expect(width).toBeLessThan(15);
});

/** A part of a type's name on the screen, px. */
interface Cut {
  readonly isNamespace: boolean;
  readonly cut: boolean;
  readonly width: number;
}
