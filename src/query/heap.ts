import { GC_TYPES, GENERATIONS, type Generation, gcReason } from '../trace/kinds.ts';
import type { GcIndex, ProcessIndex, Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { blindWarnings, nothingOf } from './answer.ts';
import { processName } from './names.ts';
import type { Amount, Nothing } from './rows.ts';
import { processMask } from './selection.ts';

/** Bytes of one generation after a collection; a figure is null where the trace does not say. */
export interface GenerationRow {
  readonly name: Generation;
  /** In use plus free. */
  readonly bytes: number | null;
  readonly inUse: number | null;
  readonly free: number | null;
  /** What survived this collection in the generation. */
  readonly promoted: number | null;
}

/** One collection and the heap after it. Times are ns since the start of the recording. */
export interface GcRow {
  readonly process: string;
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
  readonly type: string;
  readonly reason: string;
  readonly pause: number;
  /** Sums of the generations. */
  readonly bytes: number | null;
  readonly inUse: number | null;
  readonly free: number | null;
  readonly promoted: number | null;
  /** Whole GC heap as the OS sees it: in use, free but kept, bookkeeping. */
  readonly committed: number | null;
  readonly committedFree: number | null;
  readonly bookkeeping: number | null;
  readonly pinnedObjects: number | null;
  readonly handles: number | null;
  readonly generations: readonly GenerationRow[];
}

export interface HeapAnswer {
  readonly view: View;
  readonly metric: 'gc-heap';
  readonly unit: 'bytes';
  /** Of the rows: the heaps of all processes after their last collection in the view. `count` is that of collections. */
  readonly total: Amount;
  /** By generation, each process counted as of its last collection. */
  readonly rows: readonly (GenerationRow & { readonly share: number })[];
  /** Of the rows together. */
  readonly all: Omit<GenerationRow, 'name'>;
  /** Some of the collections, in the order they ended: the first, the largest, the last, and others evenly between. */
  readonly gcs: readonly GcRow[];
  readonly gcCount: number;
  /** Where no collection is known. */
  readonly nothing?: Nothing;
  readonly warnings: readonly string[];
}

/**
 * The GC heap by generation (what `!eeheap -gc` shows) after the collections in the view's time range and processes.
 * The other filters do not apply: collections know no types and no stacks. At most `limit` (≥ 3) collections are listed.
 */
export function heap(trace: Trace, view: View, limit = Number.POSITIVE_INFINITY): HeapAnswer {
  const processes = processMask(trace, view);
  const managed: View = { ...view, kinds: ['gc-heap'], heaps: [], types: [] };
  const gcs: GcIndex[] = [];
  for (let gc = 0; gc < trace.gcs.length; gc++) {
    const end = trace.gcs.end[gc];
    if (processes.mask[trace.gcs.process[gc]] === 1 && end >= view.from && end <= view.to) gcs.push(gc);
  }
  const last = [...new Map(gcs.map((gc) => [trace.gcs.process[gc], gc] as [ProcessIndex, GcIndex])).values()];
  const generations = sumGenerations(last.map((gc) => generationRows(trace, gc)));
  const bytes = sumKnown(generations.map((row) => row.bytes)) ?? 0;
  return {
    view,
    metric: 'gc-heap',
    unit: 'bytes',
    total: { bytes, count: gcs.length },
    rows: generations.map((row) => ({ ...row, share: bytes === 0 ? 0 : (row.bytes ?? 0) / bytes })),
    all: sumsOf(generations),
    gcs: pickGcs(trace, gcs, limit).map((gc) => gcRow(trace, gc)),
    gcCount: gcs.length,
    ...(gcs.length === 0 && { nothing: nothingOf(trace, managed) }),
    warnings: [
      ...trace.recording.warnings,
      ...blindWarnings(trace, managed),
      ...processes.warnings,
      ...(gcs.length === 0 ? ['no garbage collection ended in this view, so the GC heap was never measured'] : []),
    ],
  };
}

/** The first, the largest, the last, and others evenly between them. */
function pickGcs(trace: Trace, gcs: readonly GcIndex[], limit: number): GcIndex[] {
  if (gcs.length <= limit) return [...gcs];
  const size = (gc: GcIndex) => sumKnown(generationRows(trace, gc).map((row) => row.bytes)) ?? 0;
  let largest = gcs[0];
  for (const gc of gcs) if (size(gc) > size(largest)) largest = gc;
  const picked = new Set([gcs[0], largest, gcs[gcs.length - 1]]);
  const between = limit - picked.size;
  for (let i = 1; i <= between; i++) picked.add(gcs[Math.round((i * (gcs.length - 1)) / (between + 1))]);
  return [...picked].sort((a, b) => a - b);
}

function gcRow(trace: Trace, gc: GcIndex): GcRow {
  const { gcs } = trace;
  const generations = generationRows(trace, gc);
  return {
    process: processName(trace, gcs.process[gc]),
    number: gcs.number[gc],
    start: gcs.start[gc],
    end: gcs.end[gc],
    depth: gcs.depth[gc],
    type: GC_TYPES[gcs.type[gc]],
    reason: gcReason(gcs.reason[gc]),
    pause: gcs.pause[gc],
    ...sumsOf(generations),
    committed: known(gcs.committed[gc]),
    committedFree: known(gcs.committedFree[gc]),
    bookkeeping: known(gcs.bookkeeping[gc]),
    pinnedObjects: known(gcs.pinnedObjects[gc]),
    handles: known(gcs.handles[gc]),
    generations,
  };
}

function generationRows(trace: Trace, gc: GcIndex): GenerationRow[] {
  return GENERATIONS.map((name, i) => {
    const at = gc * GENERATIONS.length + i;
    const bytes = known(trace.gcs.size[at]);
    const free = known(trace.gcs.free[at]);
    const inUse = bytes === null || free === null ? null : bytes - free;
    return { name, bytes, inUse, free, promoted: known(trace.gcs.promoted[at]) };
  });
}

/** In use and free of all are known when they are of each. */
function sumsOf(generations: readonly GenerationRow[]): Omit<GenerationRow, 'name'> {
  return {
    bytes: sumKnown(generations.map((row) => row.bytes)),
    inUse: sumOfAll(generations.map((row) => row.inUse)),
    free: sumOfAll(generations.map((row) => row.free)),
    promoted: sumKnown(generations.map((row) => row.promoted)),
  };
}

function sumGenerations(heaps: readonly (readonly GenerationRow[])[]): GenerationRow[] {
  return GENERATIONS.map((name, i) => ({
    name,
    bytes: sumKnown(heaps.map((rows) => rows[i].bytes)),
    inUse: sumOfAll(heaps.map((rows) => rows[i].inUse)),
    free: sumOfAll(heaps.map((rows) => rows[i].free)),
    promoted: sumKnown(heaps.map((rows) => rows[i].promoted)),
  }));
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** Sum of figures, null when one is not known. */
function sumOfAll(values: readonly (number | null)[]): number | null {
  return values.includes(null) ? null : sumKnown(values);
}

/** Sum of the known figures, null when none is known. */
function sumKnown(values: readonly (number | null)[]): number | null {
  const figures = values.filter((value) => value !== null);
  return figures.length === 0 ? null : figures.reduce((sum, value) => sum + value, 0);
}
