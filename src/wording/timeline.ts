import type { Answer } from '../query/rows.ts';
import type { TimelineRow } from '../query/timeline.ts';
import { plural } from '../trace/plural.ts';
import { formatBytes, formatCount, formatTime } from './figures.ts';

/** What the GC heap holds as of its last collection; null before the first. */
export function gcHeapOf({ gcCommitted, gcSize }: TimelineRow): number | null {
  // Not every collection says what is committed, so the size after a later one can be more.
  return gcCommitted === null && gcSize === null ? null : Math.max(gcCommitted ?? 0, gcSize ?? 0);
}

/** Up to five places on an axis of bytes, a power of two apart: they read as round figures in binary units. */
export function byteSplits(max: number): number[] {
  const step = 2 ** Math.ceil(Math.log2(Math.max(max, 1) / 5));
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

/** One stretch of time in figures. */
export function stretchText(row: TimelineRow, { unit, metric }: Pick<Answer, 'unit' | 'metric'>): string {
  const figure = unit === 'bytes' ? formatBytes(row.bytes) : `${formatCount(row.count)} ${plural(row.count, 'object')}`;
  const seconds = (row.to - row.from) / 1e9;
  const gcHeap = gcHeapOf(row);
  const rate = unit === 'bytes' && seconds > 0 ? ` (${formatBytes(row.bytes / seconds)}/s)` : '';
  return [
    `at ${formatTime(row.from)}`,
    ...(row.rss === null ? [] : [`resident set ${formatBytes(row.rss)}`]),
    ...(gcHeap === null ? [] : [`GC heap ${formatBytes(gcHeap)} as of its last collection`]),
    ...(row.nativeLive === null ? [] : [`native heap ${formatBytes(row.nativeLive)} requested`]),
    `${figure} ${metric}${rate}`,
    ...(row.gcs === 0
      ? []
      : [`${row.gcs} ${plural(row.gcs, 'GC')} up to gen ${row.gcDepth}, ${formatTime(row.gcPause)} paused`]),
  ].join(' · ');
}
