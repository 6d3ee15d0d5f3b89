import { signal, useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import type { LaneRow } from '../../query/lanes.ts';
import type { Answer } from '../../query/rows.ts';
import type { TimelineRow } from '../../query/timeline.ts';
import { plural } from '../../trace/plural.ts';
import { formatBytes, formatTime } from '../../wording/figures.ts';
import { GC_HEAP_TITLE, stretchText } from '../../wording/timeline.ts';
import { useAnswer } from '../answers.ts';
import { bindKeys } from '../keys.ts';
import { changeView, go, place, view } from '../place.ts';
import { chartOf, drawLanes, drawRate, LANE_HEIGHT, PLOT_LEFT, PLOT_RIGHT, RATE_HEIGHT } from './timeline-chart.ts';

const STRETCHES = 300;
const LANES = innerHeight < 900 ? 4 : 6;

/** What the pointer is over. */
const hovered = signal<TimelineRow | undefined>(undefined);
/** End of the recording, ns; 0 until it is known. */
const recordingEnd = signal(0);

/** The whole recording, or the part zoomed into; what is dragged over becomes the range of the view. */
export function Timeline(): JSX.Element {
  const asked = useAnswer('timeline', () => shownPart());
  // What the metric cannot say over time is shown as what was allocated.
  const allocated = useAnswer('timeline', () => (asked.value.error === undefined ? undefined : shownPart('allocated')));
  const lanes = useAnswer('lanes', () => ({ ...shownPart(), limit: LANES }));
  const answer = useComputed(() => (asked.value.error === undefined ? asked.value : allocated.value).answer).value;
  useEffect(() => bindKeys(...timelineKeys()), []);
  useEffect(() => {
    if (place.value.zoom === undefined) recordingEnd.value = answer?.rows.at(-1)?.to ?? 0;
  }, [answer]);
  return (
    <section class={`timeline${asked.value.waiting ? ' waiting' : ''}`} aria-label="timeline">
      {answer !== undefined && (
        <>
          <p class="readout">
            {hovered.value === undefined ? <Legend answer={answer} /> : stretchText(hovered.value, answer)}
          </p>
          <Chart answer={answer} />
          <Strips answer={answer} lanes={lanes.value.answer?.rows ?? []} />
        </>
      )}
    </section>
  );
}

/** The parameters of what the timeline shows: all filters but the view's own range. */
function shownPart(metric?: 'allocated') {
  const { zoom } = place.value;
  const shown = { ...view.value, from: zoom?.from ?? 0, to: zoom?.to ?? Number.POSITIVE_INFINITY };
  return { view: metric === undefined ? shown : { ...shown, metric }, buckets: STRETCHES };
}

function Legend({ answer }: { readonly answer: Answer<TimelineRow> }): JSX.Element {
  const has = (pick: (row: TimelineRow) => number | null) => answer.rows.some((row) => pick(row) !== null);
  return (
    <span class="legend">
      {has((row) => row.rss) && <span class="key key-line">resident set</span>}
      {has((row) => row.gcSize) && (
        <span class="key kind-gc-heap" title={GC_HEAP_TITLE}>
          GC heap after its last collection
        </span>
      )}
      {has((row) => row.nativeLive) && (
        <span
          class="key kind-native-heap"
          title="requested and not released; what was never written to is not resident"
        >
          native heap, requested
        </span>
      )}
      {answer.rows.some(({ gcs }) => gcs > 0) && <span class="key key-gc">GC, higher for older generations</span>}
      <span class="dim">drag: choose a range · z, x: zoom · Esc: all</span>
    </span>
  );
}

function Chart({ answer }: { readonly answer: Answer<TimelineRow> }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const { from, to } = view.value;
  useEffect(() => {
    const element = box.current!;
    const made = chartOf(
      element,
      answer,
      (row) => {
        hovered.value = row;
      },
      changeView,
    );
    plot.current = made;
    const fit = () => {
      made.setSize({ width: element.clientWidth, height: element.clientHeight });
      markRange(made, view.peek());
    };
    const observer = new ResizeObserver(fit);
    observer.observe(element);
    const stopWatching = whenColoursChange(() => made.redraw());
    return () => {
      observer.disconnect();
      stopWatching();
      made.destroy();
    };
  }, [answer]);
  useEffect(() => {
    if (plot.current) markRange(plot.current, { from, to });
  }, [answer, from, to]);
  return <div class="chart" ref={box} role="img" aria-label={describe(answer)} />;
}

/** Shows the view's range as the chart's own selection. */
function markRange(plot: uPlot, { from, to }: { readonly from: number; readonly to: number }): void {
  const height = plot.over.clientHeight;
  if (from <= 0 && to === Number.POSITIVE_INFINITY) {
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    return;
  }
  const { min = 0, max = 0 } = plot.scales.x as { min?: number; max?: number };
  const at = (ns: number) => plot.valToPos(Math.max(min, Math.min(max, ns / 1e9)), 'x');
  plot.setSelect({ left: at(from), top: 0, width: Math.max(1, at(to) - at(from)), height }, false);
}

/** The chart for those who do not see it. */
function describe({ rows }: Answer<TimelineRow>): string {
  const highest = rows.reduce<TimelineRow | undefined>((a, b) => ((a?.rss ?? 0) >= (b.rss ?? 0) ? a : b), undefined);
  const gcs = rows.reduce((sum, row) => sum + row.gcs, 0);
  const peak = highest?.rss ? `resident set at most ${formatBytes(highest.rss)} at ${formatTime(highest.from)}` : '';
  return [
    `${formatTime(rows[0]?.from ?? 0)} to ${formatTime(rows.at(-1)?.to ?? 0)}`,
    peak,
    `${gcs} garbage collections`,
  ]
    .filter((text) => text !== '')
    .join(', ');
}

interface StripsProps {
  readonly answer: Answer<TimelineRow>;
  readonly lanes: readonly LaneRow[];
}

/** What was counted when, by kind of memory, and below it by thread. */
function Strips({ answer, lanes }: StripsProps): JSX.Element {
  return (
    <div class="strips" style={{ gridTemplateColumns: `${PLOT_LEFT}px 1fr ${PLOT_RIGHT}px` }}>
      <span class="strip-name" style={{ height: `${RATE_HEIGHT}px` }}>
        {answer.metric}, by time
      </span>
      <Strip
        height={RATE_HEIGHT}
        label={`${answer.metric} over time`}
        draw={(canvas) => drawRate(canvas, answer.rows)}
        of={answer}
      />
      <span />
      <ul>
        {lanes.map(({ name, other, folded }) => (
          <li key={name}>
            {other ? (
              <span class="dim">{`other (${folded} more)`}</span>
            ) : (
              <button
                type="button"
                class="plain"
                title={`${name}: only this thread`}
                onClick={() => changeView({ threads: [name] })}
              >
                {name}
              </button>
            )}
          </li>
        ))}
      </ul>
      <Strip
        height={lanes.length * LANE_HEIGHT}
        label={`${lanes.length} ${plural(lanes.length, 'thread')} over time`}
        draw={(canvas) => drawLanes(canvas, lanes)}
        of={lanes}
      />
    </div>
  );
}

interface StripProps {
  readonly height: number;
  readonly label: string;
  /** What is drawn; drawn again when it changes. */
  readonly of: unknown;
  draw(canvas: HTMLCanvasElement): void;
}

function Strip({ height, label, of, draw }: StripProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current!;
    const redraw = () => draw(element);
    const observer = new ResizeObserver(redraw);
    observer.observe(element);
    const stopWatching = whenColoursChange(redraw);
    return () => {
      observer.disconnect();
      stopWatching();
    };
  }, [of]);
  return <canvas ref={canvas} role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

/** Calls `redraw` when the system's or the page's colours change. */
function whenColoursChange(redraw: () => void): () => void {
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', redraw);
  const observer = new MutationObserver(redraw);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    scheme.removeEventListener('change', redraw);
    observer.disconnect();
  };
}

function timelineKeys() {
  return [
    { keys: ['z'], does: 'zoom the timeline into the chosen range, or into the middle of what it shows', run: zoomIn },
    { keys: ['x'], does: 'show the whole recording in the timeline', run: () => go({ zoom: undefined }) },
    { keys: ['['], does: 'begin the range a twentieth later', run: () => moveEdge('from') },
    { keys: [']'], does: 'end the range a twentieth earlier', run: () => moveEdge('to') },
  ];
}

function shownRange(): { readonly from: number; readonly to: number } {
  return place.peek().zoom ?? { from: 0, to: recordingEnd.peek() };
}

function zoomIn(): void {
  const { from, to } = view.peek();
  const shown = shownRange();
  if (from > 0 || to < Number.POSITIVE_INFINITY) {
    go({ zoom: { from, to: Math.min(to, recordingEnd.peek() || to) } });
    return;
  }
  const quarter = (shown.to - shown.from) / 4;
  go({ zoom: { from: shown.from + quarter, to: shown.to - quarter } });
}

function moveEdge(edge: 'from' | 'to'): void {
  const { from, to } = view.peek();
  const shown = shownRange();
  const step = (shown.to - shown.from) / 20;
  const end = Math.min(to, shown.to);
  if (edge === 'from') changeView({ from: Math.min(Math.max(from, shown.from) + step, end) });
  else changeView({ to: Math.max(end - step, from) });
}
