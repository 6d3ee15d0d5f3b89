import type { Answer, Row } from '../../query/rows.ts';
import { top } from '../../query/top.ts';
import type { Trace } from '../../trace/tables.ts';
import type { Dimension, View } from '../../trace/view.ts';
import { formatError } from '../../wording/figures.ts';
import { headline, netText, nothingText, residentAgeText, residentText, rowName, tells } from '../../wording/rows.ts';
import { besideCell, breakable, bytesCell, countCell, scrolling, shareCell } from './figures.ts';
import { type Html, html } from './markup.ts';

/** Rows of a table; the rest is its row "other". */
const ROWS = 15;

const TITLES: Partial<Record<Dimension, string>> = {
  process: 'Process',
  heap: 'Heap',
  type: 'Type',
  thread: 'Thread',
  function: 'Function',
  line: 'Line',
};

/** The tables of one view: who, by each thing that tells them apart. */
export function whoOf(trace: Trace, view: View): Html {
  const all = top(trace, view, 'kind');
  if (all.rows.length === 0) return html`<p>${nothingText(all)}</p>`;
  const tables = (Object.keys(TITLES) as Dimension[])
    .map((dimension) => ({ dimension, answer: top(trace, view, dimension, ROWS) }))
    .filter(({ dimension, answer }) => tells(dimension, answer.rows));
  const age = all.residentAge === undefined ? '' : ` ${residentAgeText(all)}`;
  const net = netText(all) && ` ${netText(all)}`;
  return html`<p class="dim">${headline(all)}. Rows and “other” add up to the total.${age}${net}</p>
<div class="tables">${tables.map(({ dimension, answer }) => tableOf(answer, dimension))}</div>`;
}

function tableOf(answer: Answer, dimension: Dimension): Html {
  const { rows, unit, accuracy, metric } = answer;
  const bytes = unit === 'bytes';
  const sampled = accuracy === 'sampled';
  const resident = rows.some((row) => row.residentBytes !== undefined);
  const byFunction = dimension === 'function';
  const figure = (of: { readonly bytes: number; readonly count: number }) =>
    bytes ? bytesCell(of.bytes) : countCell(of.count);
  const row = (one: Row) => html`<tr${one.other && html` class="other"`}>${nameCell(one, dimension)}
${figure(one)}${shareCell(one.share)}
${sampled && html`<td class="n">${errorText(one)}</td>`}${resident && html`<td class="n">${residentText(one)}</td>`}
${byFunction && totalCell(one, figure)}${besideCell(answer, one)}</tr>`;
  const table = html`<table class="rows">
<caption>By ${TITLES[dimension]?.toLowerCase()}</caption>
<thead><tr><th scope="col">${TITLES[dimension]}</th>
<th scope="col" class="n">${byFunction ? 'Own' : metric[0].toUpperCase() + metric.slice(1)}</th><th scope="col">Share</th>
${sampled && html`<th scope="col" class="n">Error</th>`}${resident && html`<th scope="col" class="n">Resident</th>`}
${byFunction && html`<th scope="col" class="n">Total</th>`}<th scope="col" class="n">${bytes ? 'Objects' : 'Bytes'}</th></tr></thead>
<tbody>${rows.map(row)}</tbody></table>`;
  return scrolling(`By ${TITLES[dimension]}`, table);
}

/** The name, with the module of a function and the function of a line below it. */
function nameCell(row: Row, dimension: Dimension): Html {
  const below = dimension === 'function' ? row.module : row.function;
  const shown = html`<span class="name">${breakable(rowName(row, dimension))}</span>`;
  return html`<th scope="row">${shown}${below && html`<small>${breakable(below)}</small>`}</th>`;
}

const errorText = (row: Row) => (row.bytes === 0 && row.count === 0 ? '' : formatError(row.error));

function totalCell(row: Row, figure: (of: { bytes: number; count: number }) => Html): Html {
  if (row.totalBytes === undefined || row.totalCount === undefined) return html`<td></td>`;
  return figure({ bytes: row.totalBytes, count: row.totalCount });
}
