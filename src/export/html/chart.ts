import type { Answer } from '../../query/rows.ts';
import type { TimelineRow } from '../../query/timeline.ts';
import { KIND_LABELS, KINDS } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import { formatBytes, formatCount, formatTime } from '../../wording/figures.ts';
import { isUnrecorded, nothingText } from '../../wording/rows.ts';
import { byteSplits, stretchText } from '../../wording/timeline.ts';
import { scrolling } from './figures.ts';
import { type Html, html } from './markup.ts';

/** The drawing's own units; it is stretched to the width of the page, and its height is that in px. */
const WIDTH = 1000;
const HEIGHT = 220;
const RATE_HEIGHT = 70;
const TIME_TICKS = 6;
const SECOND = 1e9;

/**
 * Memory over time: the resident set as a line over what the heaps hold, stacked, with a mark per stretch that had
 * collections, and below it what was allocated. `stretches` are drawn, `table` are the same in a few rows to read.
 */
export function chartOf(stretches: Answer<TimelineRow>, table: Answer<TimelineRow>): Html {
  return html`<figure class="timeline">
${legend(stretches)}
${hasMemory(stretches.rows) && plot('memory', HEIGHT, memoryScale(stretches.rows), memoryDrawing(stretches))}
${plot('rate', RATE_HEIGHT, rateScale(stretches), rateDrawing(stretches))}
<div class="plot ticks"><div class="axis"></div><div class="times">${timeTicks(stretches.rows)}</div></div>
${isUnrecorded(stretches) && html`<p>${nothingText(stretches)}</p>`}
<figcaption>${describe(stretches)} Values are the highest of each ${formatTime(lengthOf(stretches.rows[0]))}.</figcaption>
${asTable(table)}
</figure>`;
}

interface Scale {
  readonly most: number;
  readonly places: readonly number[];
  text(value: number): string;
}

function plot(name: string, height: number, scale: Scale, drawing: Html): Html {
  const above = (value: number) => `${((value / scale.most) * 100).toFixed(2)}%`;
  return html`<div class="plot ${name}" style="height:${height}px">
<div class="axis" aria-hidden="true">${scale.places.map(
    (value) => html`<span style="bottom:${above(value)}">${scale.text(value)}</span>`,
  )}</div>
<div class="drawing">${scale.places.map((value) => html`<i style="bottom:${above(value)}"></i>`)}${drawing}</div>
</div>`;
}

const drawingOf = (height: number, label: string, content: readonly Html[]): Html =>
  html`<svg role="img" aria-label="${label}" viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="none">${content}</svg>`;

const hasMemory = (rows: readonly TimelineRow[]) =>
  rows.some((row) => row.rss !== null || row.nativeLive !== null || row.gcSize !== null);

/** Top of the native heap, which stands on the GC heap. */
const nativeTop = (row: TimelineRow) => (row.nativeLive === null ? null : row.nativeLive + (row.gcSize ?? 0));

function memoryScale(rows: readonly TimelineRow[]): Scale {
  const most = Math.max(1, ...rows.map((row) => Math.max(row.rss ?? 0, row.gcSize ?? 0, nativeTop(row) ?? 0)));
  return { most: most * 1.08, places: byteSplits(most), text: formatBytes };
}

function memoryDrawing(answer: Answer<TimelineRow>): Html {
  const { rows } = answer;
  const y = yScale(HEIGHT, memoryScale(rows).most);
  const gc = rows.map((row) => row.gcSize);
  const native = rows.map(nativeTop);
  const base = gc.map((bytes) => bytes ?? 0);
  const nothing = rows.map(() => 0);
  return drawingOf(HEIGHT, describe(answer), [
    path('area gc-heap', areaPath(gc, nothing, y)),
    path('area native-heap', areaPath(native, base, y)),
    path(
      'line',
      linePath(
        rows.map((row) => row.rss),
        y,
      ),
    ),
    ...rows.flatMap((row, i) => collectionMark(row, i, rows.length)),
    ...hovers(answer, HEIGHT),
  ]);
}

/** Higher and bolder for older generations. */
function collectionMark({ gcDepth }: TimelineRow, at: number, length: number): Html[] {
  if (gcDepth === null) return [];
  const x = round(((at + 0.5) / length) * WIDTH);
  return [html`<path class="gc gen${gcDepth}" d="M${x} 0V${4 + gcDepth * 4}"/>`];
}

/** What each stretch holds, shown on hover. */
function hovers(answer: Answer<TimelineRow>, height: number): Html[] {
  const width = WIDTH / answer.rows.length;
  return answer.rows.map(
    (row, i) =>
      html`<rect class="hover" x="${round(i * width)}" width="${round(width)}" height="${height}"><title>${stretchText(row, answer)}</title></rect>`,
  );
}

const ratesOf = ({ kinds }: TimelineRow) => KINDS.map((kind) => ({ kind, value: Math.max(0, kinds[kind] ?? 0) }));

function highestRate({ rows }: Answer<TimelineRow>): number {
  return Math.max(0, ...rows.map((row) => ratesOf(row).reduce((sum, { value }) => sum + value, 0)));
}

/** In the unit asked for, the amounts of the stretches with their rates per second as labels. */
function rateScale(answer: Answer<TimelineRow>): Scale {
  const most = Math.max(highestRate(answer), Number.MIN_VALUE);
  const seconds = secondsOf(answer);
  const [figure, splits] = answer.unit === 'bytes' ? [formatBytes, byteSplits] : [formatCount, countSplits];
  const places = [0, splits(most / seconds).at(-1) ?? 0].map((rate) => rate * seconds);
  return { most: most * 1.15, places, text: (value) => `${figure(value / seconds)}/s` };
}

/** Of a stretch; a recording of no length counts as one second. */
const secondsOf = ({ rows }: Answer<TimelineRow>) => (lengthOf(rows[0]) > 0 ? lengthOf(rows[0]) / SECOND : 1);

/** Zero and the largest power of ten, or two or five times one, up to `max`. */
function countSplits(max: number): number[] {
  const decade = 10 ** Math.floor(Math.log10(max));
  return [0, [5, 2, 1].map((factor) => factor * decade).find((value) => value <= max) ?? decade];
}

/** A bar per stretch, the kinds of memory stacked. */
function rateDrawing(answer: Answer<TimelineRow>): Html {
  const y = yScale(RATE_HEIGHT, rateScale(answer).most);
  const width = WIDTH / answer.rows.length;
  const bars = answer.rows.flatMap((row, i) => {
    let below = 0;
    return ratesOf(row)
      .filter(({ value }) => value > 0)
      .map(({ kind, value }) => {
        const [bottom, top] = [y(below), y(below + value)];
        below += value;
        return html`<path class="${kind}" d="M${round(i * width)} ${bottom}H${round((i + 0.85) * width)}V${top}H${round(i * width)}Z"/>`;
      });
  });
  return drawingOf(RATE_HEIGHT, `allocated over time, at most ${rateScale(answer).text(highestRate(answer))}`, [
    ...bars,
    ...hovers(answer, RATE_HEIGHT),
  ]);
}

type Y = (value: number) => number;
const yScale =
  (height: number, most: number): Y =>
  (value) =>
    round(height - (value / most) * height);

const round = (value: number) => Math.round(value * 10) / 10;

const path = (name: string, d: string): Html =>
  html`<path class="${name}" d="${d}" vector-effect="non-scaling-stroke"/>`;

/** Stretches of known values, [first, end). */
function runs(values: readonly (number | null)[]): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null) continue;
    const first = i;
    while (i < values.length && values[i] !== null) i++;
    found.push([first, i]);
  }
  return found;
}

/** The upper edge from left to right in steps: a value holds until the next one. */
function edge(values: readonly (number | null)[], [first, end]: readonly [number, number], y: Y): string {
  const x = (i: number) => round((i / values.length) * WIDTH);
  let d = '';
  for (let i = first; i < end; i++) d += `V${y(values[i] ?? 0)}H${x(i + 1)}`;
  return d;
}

function linePath(values: readonly (number | null)[], y: Y): string {
  const start = ([first]: readonly [number, number]) =>
    `M${round((first / values.length) * WIDTH)} ${y(values[first] ?? 0)}`;
  return runs(values)
    .map((run) => start(run) + edge(values, run, y))
    .join('');
}

function areaPath(upper: readonly (number | null)[], lower: readonly number[], y: Y): string {
  const x = (i: number) => round((i / upper.length) * WIDTH);
  return runs(upper)
    .map(([first, end]) => {
      let back = '';
      for (let i = end - 1; i >= first; i--) back += `V${y(lower[i])}H${x(i)}`;
      return `M${x(first)} ${y(lower[first])}${edge(upper, [first, end], y)}${back}Z`;
    })
    .join('');
}

const lengthOf = ({ from, to }: TimelineRow) => to - from;

const ROUND_TIMES = [60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400].map((s) => s * SECOND);

/** The smallest round length of time of which at most `TIME_TICKS` fit into `range`. */
function timeStep(range: number): number {
  const enough = (step: number) => range / step <= TIME_TICKS;
  const decade = 10 ** Math.floor(Math.log10(range / TIME_TICKS));
  const decimal = [1, 2, 5, 10].map((factor) => factor * decade).find(enough) ?? 10 * decade;
  if (decimal < ROUND_TIMES[0]) return decimal;
  return ROUND_TIMES.find(enough) ?? Math.ceil(decimal / ROUND_TIMES[10]) * ROUND_TIMES[10];
}

function timeTicks(rows: readonly TimelineRow[]): Html[] {
  const { from } = rows[0];
  const range = rows[rows.length - 1].to - from;
  if (!(range > 0)) return [];
  const step = timeStep(range);
  const first = Math.ceil(from / step);
  const places = Array.from({ length: Math.floor((from + range) / step) - first + 1 }, (_, i) => (first + i) * step);
  return places.map((time) => {
    const part = (time - from) / range;
    // At the end there is no room for the half of a label.
    return html`<span${part > 0.95 && html` class="last"`} style="left:${(part * 100).toFixed(2)}%">${formatTime(time)}</span>`;
  });
}

function legend({ rows, metric }: Answer<TimelineRow>): Html {
  const most = (pick: (row: TimelineRow) => number | null) => {
    const known = rows.map(pick).filter((value) => value !== null);
    return known.length === 0 ? undefined : formatBytes(Math.max(...known));
  };
  const [rss, gc, native] = [most((row) => row.rss), most((row) => row.gcSize), most((row) => row.nativeLive)];
  const kinds = KINDS.filter((kind) => rows.some((row) => (row.kinds[kind] ?? 0) > 0));
  const gcs = rows.reduce((sum, row) => sum + row.gcs, 0);
  return html`<ul class="legend">
${rss && html`<li><i class="key line"></i>resident set, at most ${rss}</li>`}
${gc && html`<li><i class="key gc-heap"></i>GC heap, its size after the last collection, at most ${gc}</li>`}
${native && html`<li><i class="key native-heap"></i>native heap${gc && ' on top of it'}, requested and not released, at most ${native}</li>`}
${gcs > 0 && html`<li><i class="key gc"></i>collections, a longer mark for an older generation</li>`}
${kinds.map((kind) => html`<li><i class="key bars ${kind}"></i>${metric}: ${KIND_LABELS[kind]}</li>`)}
</ul>`;
}

/** The chart in a sentence. */
function describe({ rows }: Answer<TimelineRow>): string {
  const first = rows.find((row) => row.rss !== null);
  const last = rows.findLast((row) => row.rss !== null);
  const highest = rows.reduce((best, row) => ((row.rss ?? 0) > (best.rss ?? 0) ? row : best), rows[0]);
  const gcs = rows.reduce((sum, row) => sum + row.gcs, 0);
  const resident =
    first && last
      ? `The resident set went from ${formatBytes(first.rss ?? 0)} to ${formatBytes(last.rss ?? 0)}, at most ${formatBytes(highest.rss ?? 0)} at ${formatTime(highest.from)}. `
      : '';
  const collections = `${gcs} garbage ${plural(gcs, 'collection')}`;
  return `${formatTime(rows[0].from)} to ${formatTime(rows[rows.length - 1].to)}: ${collections}. ${resident}`.trim();
}

function asTable(answer: Answer<TimelineRow>): Html {
  const { rows, unit, metric } = answer;
  const bytes = (value: number | null) => (value === null ? '–' : formatBytes(value));
  const row = (one: TimelineRow) => html`<tr><th scope="row">${formatTime(one.from)}</th>
<td class="n">${bytes(one.rss)}</td><td class="n">${bytes(one.gcSize)}</td><td class="n">${bytes(one.nativeLive)}</td>
<td class="n">${unit === 'bytes' ? formatBytes(one.bytes) : formatCount(one.count)}</td><td class="n">${one.gcs}</td></tr>`;
  const table = html`<table>
<caption>Highest values and sums of ${rows.length} stretches of ${formatTime(lengthOf(rows[0]))}</caption>
<thead><tr><th scope="col">From</th><th scope="col" class="n">Resident set</th><th scope="col" class="n">GC heap</th>
<th scope="col" class="n">Native heap</th><th scope="col" class="n">${metric[0].toUpperCase() + metric.slice(1)}</th>
<th scope="col" class="n">GCs</th></tr></thead>
<tbody>${rows.map(row)}</tbody></table>`;
  return html`<details class="as-table"><summary>The chart in figures</summary>${scrolling('The chart in figures', table)}</details>`;
}
