import { gcColumns } from '../../trace/gc-columns.ts';
import { GC_TYPES, GENERATIONS } from '../../trace/kinds.ts';
import { type GcColumns, type GcIndex, NONE } from '../../trace/tables.ts';

/** What a record of a collection says; the values of each are those that its handler in `gc.ts` writes. */
export const GcRecord = {
  start: 0,
  end: 1,
  stats: 2,
  perHeap: 3,
  committed: 4,
  suspend: 5,
  restart: 6,
} as const;
export type GcRecord = (typeof GcRecord)[keyof typeof GcRecord];

/** Joins the records of the collections, which come in time order. */
interface GcHistory {
  /** The collections so far, in the order in which they started. */
  readonly gcs: GcColumns;
  /** The values of the record begin at `at`. */
  take(kind: GcRecord, time: number, values: Float64Array, at: number): void;
}

/** More than a background collection and one above it are open only where ends were lost. */
const MAX_OPEN = 8;

const WIDTH = GENERATIONS.length;
/** Generation 2; those before are young. */
const OLDEST = GENERATIONS.indexOf('gen2');
const BACKGROUND = GC_TYPES.indexOf('background');

/** @param starts how many records of a start there will be */
export function createGcHistory(starts: number): GcHistory {
  const gcs = gcColumns(starts);
  let started = 0;
  /** The collections that did not end yet. */
  const open: GcIndex[] = [];
  /** Those of them whose start did not state a depth (version 0). */
  const depthless = new Set<GcIndex>();
  /** Background collections in which another one took place: what they report of the young generations was before it. */
  const interrupted = new Set<GcIndex>();
  let lastEnded: GcIndex = NONE;
  let pauseStart = Number.NaN;
  const startedInPause: GcIndex[] = [];
  /** Free bytes per generation of the collection at hand, summed over its heaps. */
  const free = new Float64Array(WIDTH).fill(Number.NaN);
  /** Where the last report of committed bytes begins. */
  let committedAt = NONE;
  let committedSinceStart = 0;

  const forgetFree = (): void => {
    for (let generation = 0; generation < WIDTH; generation++) free[generation] = Number.NaN;
  };
  const start = (time: number, values: Float64Array, at: number): void => {
    const gc = started++;
    gcs.number[gc] = values[at];
    gcs.start[gc] = time;
    gcs.depth[gc] = values[at + 1];
    gcs.reason[gc] = values[at + 2];
    gcs.type[gc] = values[at + 3] < GC_TYPES.length ? values[at + 3] : 0;
    if (Number.isNaN(values[at + 1])) depthless.add(gc);
    open.push(gc);
    if (open.length > MAX_OPEN) open.shift();
    startedInPause.push(gc);
    forgetFree();
    committedSinceStart = 0;
    lastEnded = NONE;
  };
  const end = (time: number, values: Float64Array, at: number): void => {
    let place = 0;
    while (place < open.length && gcs.number[open[place]] !== values[at]) place++;
    if (place === open.length) return;
    const gc = open[place];
    open.splice(place, 1);
    gcs.end[gc] = time;
    if (depthless.size > 0 && depthless.delete(gc)) gcs.depth[gc] = values[at + 1];
    for (const one of open) if (gcs.type[one] === BACKGROUND) interrupted.add(one);
    const from = firstReported(gc);
    for (let generation = from; generation < WIDTH; generation++) gcs.free[gc * WIDTH + generation] = free[generation];
    forgetFree();
    // The first report after the start is of before the collection.
    if (committedSinceStart > 1) setCommitted(gcs, gc, values, committedAt);
    lastEnded = gc;
  };
  const addFree = (values: Float64Array, at: number): void => {
    // A background collection of server GC reports its heaps after its end, all others before it.
    if (lastEnded !== NONE && gcs.type[lastEnded] === BACKGROUND)
      addKnown(gcs.free, lastEnded * WIDTH, values, at, firstReported(lastEnded));
    else addKnown(free, 0, values, at);
  };
  const firstReported = (gc: GcIndex): number => (interrupted.has(gc) ? OLDEST : 0);
  const endPause = (time: number): void => {
    if (!Number.isNaN(pauseStart)) {
      const gc =
        startedInPause.find((one) => gcs.type[one] !== BACKGROUND) ??
        startedInPause[0] ??
        open.find((one) => gcs.type[one] === BACKGROUND);
      if (gc !== undefined) gcs.pause[gc] += time - pauseStart;
    }
    pauseStart = Number.NaN;
  };

  return {
    gcs,
    take(kind, time, values, at) {
      if (kind === GcRecord.start) start(time, values, at);
      else if (kind === GcRecord.end) end(time, values, at);
      else if (kind === GcRecord.stats && lastEnded !== NONE) setStats(gcs, lastEnded, values, at);
      else if (kind === GcRecord.perHeap) addFree(values, at);
      else if (kind === GcRecord.committed) {
        committedAt = at;
        committedSinceStart++;
      } else if (kind === GcRecord.suspend) {
        pauseStart = isForGc(values[at]) ? time : Number.NaN;
        startedInPause.length = 0;
      } else if (kind === GcRecord.restart) endPause(time);
    },
  };
}

/** Adds the values per generation, of `from` and later ones, from `at` on to those from `to` on, where NaN means nothing so far. */
function addKnown(sums: Float64Array, to: number, values: Float64Array, at: number, from = 0): void {
  for (let generation = from; generation < WIDTH; generation++) {
    const before = sums[to + generation];
    sums[to + generation] = (Number.isNaN(before) ? 0 : before) + values[at + generation];
  }
}

function setStats(gcs: GcColumns, gc: GcIndex, values: Float64Array, at: number): void {
  for (let generation = 0; generation < WIDTH; generation++) {
    gcs.size[gc * WIDTH + generation] = values[at + generation];
    gcs.promoted[gc * WIDTH + generation] = values[at + WIDTH + generation];
  }
  gcs.pinnedObjects[gc] = values[at + 2 * WIDTH];
  gcs.handles[gc] = values[at + 2 * WIDTH + 1];
}

/** In use, waiting for decommit, free, free globally, bookkeeping. */
function setCommitted(gcs: GcColumns, gc: GcIndex, values: Float64Array, at: number): void {
  gcs.committedFree[gc] = values[at + 1] + values[at + 2] + values[at + 3];
  gcs.bookkeeping[gc] = values[at + 4];
  gcs.committed[gc] = values[at] + gcs.committedFree[gc] + gcs.bookkeeping[gc];
}

/** GCSuspendEEReasonMap: 1 for a collection, 6 to prepare one (the later pauses of a background collection). */
function isForGc(reason: number): boolean {
  return reason === 1 || reason === 6;
}
