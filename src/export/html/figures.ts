import type { Answer, Row } from '../../query/rows.ts';
import type { Unit } from '../../trace/view.ts';
import { formatBytes, formatCount, formatShare, UNKNOWN } from '../../wording/figures.ts';
import { besideText } from '../../wording/rows.ts';
import { clipped, type Html, html } from './markup.ts';

/** Longest name that is shown whole. */
const NAME = 200;

/** A name of the trace, cut in the middle where it is very long. */
export function nameOf(text: string): string {
  return clipped(text, NAME);
}

/** The same with places where a line may break: between its parts. */
export function breakable(text: string): Html {
  const parts = nameOf(text).split(/(?<=[.,/+]|\w<)(?=\w)/);
  return html`${parts.map((part, i) => html`${i > 0 && html`<wbr>`}${part}`)}`;
}

/** Bytes or objects of a row, as asked for. */
export function figureText({ bytes, count }: Pick<Row, 'bytes' | 'count'>, unit: Unit): string {
  return unit === 'bytes' ? formatBytes(bytes) : formatCount(count);
}

/** A cell of bytes with the exact figure on hover; a dash where the trace does not say. */
export function bytesCell(bytes: number | null): Html {
  if (bytes === null) return html`<td class="n" title="not known">${UNKNOWN}</td>`;
  return html`<td class="n" title="${exactly(bytes)} bytes">${formatBytes(bytes)}</td>`;
}

/** A cell of a count, likewise. */
export function countCell(count: number): Html {
  return html`<td class="n" title="${exactly(count)}">${formatCount(count)}</td>`;
}

/** A cell of the figure that was not asked for. */
export function besideCell(answer: Pick<Answer, 'unit' | 'accuracy'>, row: Row): Html {
  const exact = answer.unit === 'bytes' ? exactly(row.count) : `${exactly(row.bytes)} bytes`;
  return html`<td class="n" title="${exact}">${besideText(answer, row)}</td>`;
}

const exactly = (value: number) => Math.round(value).toLocaleString('en');

/** A cell with a share as figure and bar. */
export function shareCell(share: number): Html {
  return html`<td class="share"><span>${formatShare(share)}</span>${bar(share)}</td>`;
}

/** A table that scrolls by itself where it is wider than the page, by keyboard too. */
export function scrolling(label: string, table: Html): Html {
  return html`<div class="scroll" role="group" aria-label="${label}" tabindex="0">${table}</div>`;
}

/** A bar for a share of 0–1; it says nothing that is not beside it as a figure. */
export function bar(share: number): Html {
  const percent = Math.max(0, Math.min(1, share)) * 100;
  return html`<i class="bar" aria-hidden="true"><i style="width:${percent.toFixed(1)}%"></i></i>`;
}
