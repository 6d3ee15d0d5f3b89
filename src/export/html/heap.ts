import { type GcRow, type HeapAnswer, heap } from '../../query/heap.ts';
import { HEAP_LABELS } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import type { Trace } from '../../trace/tables.ts';
import type { View } from '../../trace/view.ts';
import { formatBytes, formatTime } from '../../wording/figures.ts';
import { isUnrecorded, NO_COLLECTION, nothingText } from '../../wording/rows.ts';
import { bytesCell, scrolling, shareCell } from './figures.ts';
import { type Html, html } from './markup.ts';

const COLLECTIONS = 12;

const LABELS = {
  gen0: 'generation 0',
  gen1: 'generation 1',
  gen2: 'generation 2',
  loh: HEAP_LABELS.loh,
  poh: HEAP_LABELS.poh,
};

/** The GC heap by generation after the last collection, and some collections; undefined where there was none. */
export function heapOf(trace: Trace, view: View): Html | undefined {
  if (view.kinds.length > 0 && !view.kinds.includes('gc-heap')) return undefined;
  const answer = heap(trace, view, COLLECTIONS);
  if (isUnrecorded(answer))
    return html`<section><h2>GC heap</h2><p>${nothingText(answer, NO_COLLECTION)}</p></section>`;
  if (answer.gcCount === 0) return undefined;
  return html`<section><h2>GC heap</h2>
<p class="dim">As of the last collection of each process: size is in use plus free, promoted survived that collection.
Filters other than process and time do not apply: collections know no types, threads and functions.</p>
${scrolling('By generation', generationTable(answer))}
<p>${summaryText(heap(trace, view).gcs)} ${committedText(answer)}</p>
${scrolling('Collections', collectionTable(answer))}</section>`;
}

function generationTable({ rows, all }: HeapAnswer): Html {
  return html`<table><caption>By generation</caption>
<thead><tr><th scope="col">Generation</th><th scope="col" class="n">Size</th><th scope="col">Share</th>
<th scope="col" class="n">In use</th><th scope="col" class="n">Free</th><th scope="col" class="n">Promoted</th></tr></thead>
<tbody>${rows.map(
    (row) => html`<tr><th scope="row">${LABELS[row.name]}</th>${bytesCell(row.bytes)}${shareCell(row.share)}
${bytesCell(row.inUse)}${bytesCell(row.free)}${bytesCell(row.promoted)}</tr>`,
  )}</tbody>
<tfoot><tr><th scope="row">all</th>${bytesCell(all.bytes)}<td></td>
${bytesCell(all.inUse)}${bytesCell(all.free)}${bytesCell(all.promoted)}</tr></tfoot></table>`;
}

/** How often the GC ran, and what that cost. */
function summaryText(gcs: readonly GcRow[]): string {
  const of = (depth: number) => gcs.filter((gc) => gc.depth === depth).length;
  const pauses = gcs.map((gc) => gc.pause);
  const total = pauses.reduce((sum, pause) => sum + pause, 0);
  const longest = pauses.reduce((most, pause) => Math.max(most, pause), 0);
  return (
    `${gcs.length} ${plural(gcs.length, 'collection')} (${of(0)} of generation 0, ${of(1)} of 1, ${of(2)} of 2) ` +
    `paused the program for ${formatTime(total)} altogether, at most ${formatTime(longest)} at once.`
  );
}

/** What the system gave the GC; empty where several processes have one. */
function committedText({ gcs }: HeapAnswer): string {
  const last = gcs[gcs.length - 1];
  if (last.committed === null || new Set(gcs.map((gc) => gc.process)).size > 1) return '';
  const bytes = (value: number | null) => (value === null ? 'an unknown part' : formatBytes(value));
  return `${bytes(last.committed)} are committed, of it ${bytes(last.committedFree)} free and ${bytes(last.bookkeeping)} bookkeeping.`;
}

function collectionTable({ gcs, gcCount }: HeapAnswer): Html {
  const byProcess = new Set(gcs.map((gc) => gc.process)).size > 1;
  const row = (gc: GcRow) => html`<tr><th scope="row" class="n">${gc.number}</th>
${byProcess && html`<td>${gc.process}</td>`}<td class="n">${formatTime(gc.end)}</td><td class="n">${gc.depth}</td>
<td class="n">${formatTime(gc.pause)}</td>${bytesCell(gc.inUse)}${bytesCell(gc.free)}${bytesCell(gc.committed)}
<td>${gc.reason}, ${gc.type}</td></tr>`;
  const which =
    gcs.length < gcCount ? `${gcs.length} of ${gcCount}: the first, the largest, the last, and some between` : gcCount;
  return html`<table><caption>Collections (${which})</caption>
<thead><tr><th scope="col" class="n">GC</th>${byProcess && html`<th scope="col">Process</th>`}<th scope="col" class="n">At</th>
<th scope="col" class="n">Gen</th><th scope="col" class="n">Pause</th><th scope="col" class="n">In use</th>
<th scope="col" class="n">Free</th><th scope="col" class="n">Committed</th><th scope="col">Reason</th></tr></thead>
<tbody>${gcs.map(row)}</tbody></table>`;
}
