import type { CodeAnswer } from '../../query/code.ts';
import type { Row } from '../../query/rows.ts';
import { formatError, formatShare } from '../../wording/figures.ts';
import { headline } from '../../wording/rows.ts';
import { figureText, nameOf, scrolling } from './figures.ts';
import { clipped, type Html, html } from './markup.ts';

/** A function with the text of its file, as far as that was found. */
export interface FunctionSource {
  readonly answer: CodeAnswer;
  readonly lines: readonly string[] | undefined;
  readonly warnings: readonly string[];
}

/** Lines shown before and after one that allocates, and of one function altogether. */
const AROUND = 5;
const LINES = 60;
const LINE_LENGTH = 200;

/** The lines of the functions around those that allocate, with the bytes of each. */
export function sourcesOf(sources: readonly FunctionSource[]): Html | undefined {
  if (sources.length === 0) return undefined;
  return html`<section><h2>Source</h2>
<p class="dim">A line’s figure is what it allocated itself or by what it called. Lines around those that allocate, at most ${LINES} of a function.</p>
${sources.map(sourceOf)}</section>`;
}

function sourceOf({ answer, lines, warnings }: FunctionSource): Html {
  const rows = answer.rows.filter((row) => row.file === answer.path && row.line !== undefined);
  return html`<h3 class="name">${nameOf(answer.function)}</h3>
<p class="dim name">${nameOf(answer.path)}</p>
<p class="dim">${headline(answer)}</p>
${warnings.map((warning) => html`<p class="dim">${clipped(warning, 500)}</p>`)}
${lines && rows.length > 0 && listing(answer, rows, lines)}`;
}

function listing(answer: CodeAnswer, rows: readonly Row[], lines: readonly string[]): Html {
  const byLine = new Map(rows.map((row) => [row.line, row]));
  const hottest = rows.reduce((best, row) => (row.share > best.share ? row : best));
  const numbers = shownLines(rows, lines.length);
  const texts = new Map(numbers.map((number) => [number, lines[number - 1].replaceAll('\t', '    ')]));
  const indent = Math.min(...[...texts.values()].filter((text) => text.trim() !== '').map((text) => text.search(/\S/)));
  const line = (number: number, i: number) => {
    const row = byLine.get(number);
    const kind = row === undefined ? '' : row === hottest ? 'hot' : 'warm';
    return html`${i > 0 && numbers[i - 1] < number - 1 && html`<tr class="gap"><td colspan="4">⋯</td></tr>`}<tr class="${kind}">
<td class="n">${row && figureText(row, answer.unit)}</td>
<td class="n">${row && formatShare(row.share)}${row && answer.accuracy === 'sampled' && html` <small>${formatError(row.error)}</small>`}</td>
<th scope="row" class="n">${number}</th><td><code>${clipped((texts.get(number) ?? '').slice(indent), LINE_LENGTH)}</code>${row?.near && html` <small>(near)</small>`}</td></tr>`;
  };
  const table = html`<table class="source"><caption>By line</caption>
<thead><tr><th scope="col" class="n">${answer.unit === 'bytes' ? 'Bytes' : 'Objects'}</th><th scope="col" class="n">Share</th>
<th scope="col" class="n">Line</th><th scope="col">Code</th></tr></thead>
<tbody>${numbers.map(line)}</tbody></table>`;
  return scrolling(`Lines of ${nameOf(answer.function)}`, table);
}

/** Those around the heaviest lines, as many of them as there is room for, in order. */
function shownLines(rows: readonly Row[], length: number): number[] {
  const shown = new Set<number>();
  for (const { line = 0 } of [...rows].sort((a, b) => b.share - a.share)) {
    const around = Array.from({ length: 2 * AROUND + 1 }, (_, i) => line - AROUND + i).filter(
      (number) => number >= 1 && number <= length,
    );
    if (new Set([...shown, ...around]).size > LINES) break;
    for (const number of around) shown.add(number);
  }
  return [...shown].sort((a, b) => a - b);
}
