import type { Answer } from '../query/rows.ts';
import type { TimelineRow } from '../query/timeline.ts';
import { plural } from '../trace/plural.ts';
import { formatBytes, formatCount, formatTime } from './figures.ts';

/** The one quantity that is drawn as "GC heap": what is committed is not told by every collection, the size is. */
export const GC_HEAP_TITLE = 'size after the last collection, in use and free; allocations since then are not in it';

/** Up to five places on an axis of bytes, a power of two apart: they read as round figures in binary units. */
export function byteSplits(max: number): number[] {
  const step = 2 ** Math.ceil(Math.log2(Math.max(max, 1) / 5));
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

/** One stretch of time in figures. */
export function stretchText(row: TimelineRow, { unit, metric }: Pick<Answer, 'unit' | 'metric'>): string {
  const figure = unit === 'bytes' ? formatBytes(row.bytes) : `${formatCount(row.count)} ${plural(row.count, 'object')}`;
  const seconds = (row.to - row.from) / 1e9;
  const rate = unit === 'bytes' && seconds > 0 ? ` (${formatBytes(row.bytes / seconds)}/s)` : '';
  return [
    `at ${formatTime(row.from)}`,
    ...(row.rss === null ? [] : [`resident set ${formatBytes(row.rss)}`]),
    ...(row.gcSize === null ? [] : [`GC heap ${formatBytes(row.gcSize)} after its last collection`]),
    ...(row.nativeLive === null ? [] : [`native heap ${formatBytes(row.nativeLive)} requested`]),
    `${figure} ${metric}${rate}`,
    ...(row.gcs === 0
      ? []
      : [`${row.gcs} ${plural(row.gcs, 'GC')} up to gen ${row.gcDepth}, ${formatTime(row.gcPause)} paused`]),
  ].join(' · ');
}
