import uPlot from 'uplot';
import type { LaneRow } from '../../query/lanes.ts';
import type { Answer } from '../../query/rows.ts';
import type { TimelineRow } from '../../query/timeline.ts';
import { KINDS } from '../../trace/kinds.ts';
import { formatBytes, formatTime } from '../../wording/figures.ts';
import { byteSplits } from '../../wording/timeline.ts';

/** Room for the axis at the left and at the right of every plot, px, so that they line up. */
export const PLOT_LEFT = 150;
export const PLOT_RIGHT = 14;
export const RATE_HEIGHT = 30;
export const LANE_HEIGHT = 14;

/** A dragged stretch narrower than this many px was a click. */
const NARROWEST_DRAG = 4;

type Range = { readonly from: number; readonly to: number };

/**
 * Resident set as a line over what the kinds of memory hold, stacked; garbage collections as marks by generation. Times of the
 * chart are seconds. What is dragged over is given to `onRange`, in ns.
 */
export function chartOf(
  element: HTMLElement,
  { rows }: Answer<TimelineRow>,
  onHover: (row: TimelineRow | undefined) => void,
  onRange: (range: Range) => void,
): uPlot {
  const gc = rows.map(({ gcSize }) => gcSize);
  const native = rows.map((row, i) => (row.nativeLive === null ? null : row.nativeLive + (gc[i] ?? 0)));
  // Where no GC heap is known the native heap stands on nothing: that is no line, unlike the GC heap's own.
  const base = gc.map((bytes, i) => bytes ?? (native[i] === null ? null : 0));
  const data: uPlot.AlignedData = [rows.map(({ from }) => from / 1e9), native, base, gc, rows.map(({ rss }) => rss)];
  // A value holds until the next one was measured.
  const steps = uPlot.paths.stepped!({ align: 1 });
  const colour = (name: string) => () => cssColour(name);
  const axis = { stroke: colour('--dim'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  const options: uPlot.Options = {
    width: element.clientWidth,
    height: element.clientHeight,
    legend: { show: false },
    padding: [14, PLOT_RIGHT, 0, 0],
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
    // To the ns what the strips below show, so that both line up.
    scales: {
      x: { time: false, range: [(rows[0]?.from ?? 0) / 1e9, (rows.at(-1)?.to ?? 0) / 1e9] },
      y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1) * 1.05] },
    },
    axes: [
      { ...axis, size: 22, space: 80, values: (_, splits) => splits.map((second) => formatTime(second * 1e9)) },
      {
        ...axis,
        size: PLOT_LEFT,
        splits: (_, __, ___, max) => byteSplits(max),
        values: (_, splits) => splits.map(formatBytes),
      },
    ],
    series: [
      {},
      { stroke: colour('--kind-native-heap'), fill: faded('--kind-native-heap'), width: 1, paths: steps },
      { stroke: '', width: 0, paths: steps },
      { stroke: colour('--kind-gc-heap'), fill: faded('--kind-gc-heap'), width: 1, paths: steps },
      { stroke: colour('--text'), width: 2 },
    ],
    // The native heap stands on the GC heap, so it is filled down to that only.
    bands: [{ series: [1, 2], fill: faded('--kind-native-heap') }],
    hooks: {
      draw: [(plot) => drawCollections(plot, rows)],
      setCursor: [({ cursor }) => onHover(cursor.idx == null ? undefined : rows[cursor.idx])],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < NARROWEST_DRAG) return;
          const at = (x: number) => Math.round(plot.posToVal(x, 'x') * 1e9);
          const last = rows.at(-1)?.to ?? 0;
          onRange({ from: Math.max(0, at(left)), to: Math.min(at(left + width), last) });
        },
      ],
    },
  };
  return new uPlot(options, data, element);
}

/** A mark per stretch with collections, higher and bolder for older generations. */
function drawCollections(plot: uPlot, rows: readonly TimelineRow[]): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = cssColour('--gc-mark');
  for (const { gcs, gcDepth, from, to } of rows) {
    if (gcs === 0 || gcDepth === null) continue;
    const x = plot.valToPos((from + to) / 2e9, 'x', true);
    const height = (4 + gcDepth * 3) * scale;
    const width = (gcDepth === 2 ? 2 : 1) * scale;
    ctx.fillRect(Math.round(x - width / 2), bbox.top - height - scale, width, height);
  }
  ctx.restore();
}

/** The rate of each kind over time, stacked, each as a bar. `unit` says which figure `kinds` hold. */
export function drawRate(canvas: HTMLCanvasElement, rows: readonly TimelineRow[]): void {
  const { ctx, width, height } = prepare(canvas);
  const sums = rows.map(({ kinds }) => Object.values(kinds).reduce((sum, value) => sum + Math.max(0, value), 0));
  const most = Math.max(...sums, 1);
  const step = width / rows.length;
  rows.forEach(({ kinds }, i) => {
    let y = height;
    for (const kind of KINDS) {
      const bar = (Math.max(0, kinds[kind] ?? 0) / most) * (height - 2);
      if (bar <= 0) continue;
      ctx.fillStyle = cssColour(`--kind-${kind}`);
      ctx.fillRect(i * step, y - bar, Math.max(step - 0.4, 0.6), bar);
      y -= bar;
    }
  });
}

/** A strip per thread, darker where it allocated more. */
export function drawLanes(canvas: HTMLCanvasElement, rows: readonly LaneRow[]): void {
  const { ctx, width } = prepare(canvas);
  const most = Math.max(...rows.flatMap(({ values }) => values), 1);
  ctx.fillStyle = cssColour('--lane');
  rows.forEach(({ values }, lane) => {
    const step = width / values.length;
    values.forEach((value, i) => {
      if (value <= 0) return;
      // A little of anything must be seen beside much.
      ctx.globalAlpha = 0.15 + 0.85 * Math.sqrt(value / most);
      ctx.fillRect(i * step, lane * LANE_HEIGHT + 2, Math.max(step, 0.6), LANE_HEIGHT - 4);
    });
  });
}

function prepare(canvas: HTMLCanvasElement): { ctx: CanvasRenderingContext2D; width: number; height: number } {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const ctx = canvas.getContext('2d')!;
  ctx.scale(devicePixelRatio, devicePixelRatio);
  return { ctx, width, height };
}

/** A colour of style.css as it is now, light or dark. */
function cssColour(name: string): string {
  const probe = document.documentElement;
  probe.style.setProperty('outline-color', `var(${name})`);
  return getComputedStyle(probe).outlineColor;
}

function faded(name: string): () => string {
  return () => `color-mix(in srgb, ${cssColour(name)} 35%, transparent)`;
}
