import { TraceError } from '../../trace/errors.ts';
import { type Cursor, cursorOver, viewOf } from './bytes.ts';
import type { StreamCapture } from './capture.ts';
import { DamagedStream } from './damage.ts';
import { type Container, MAX_BLOCK_BYTES, readMagic, readUnit, type Unit } from './framing.ts';
import { createStream, type Stream } from './stream.ts';

export interface NettraceOptions {
  /** Bytes of the whole stream where that is known: damage is then told with its share. */
  readonly size?: number;
  /** Keep only `progress`: no table grows. For watching a long recording live. */
  readonly summaryOnly?: boolean;
}

/** What was read so far; one live object, for a status line. */
interface NettraceProgress {
  /** Events decoded, and events the runtime lost. */
  readonly events: number;
  readonly eventsLost: number;
  /** Size of the GC heap after the last collection, bytes, over all processes; NaN until one was seen. */
  readonly gcHeapBytes: number;
  /** Time of the last event, ns on the stream's clock; NaN until one was seen. */
  readonly lastEventTime: number;
}

interface NettraceReader {
  /**
   * Reads the next bytes of the stream. A chunk can be of any size (1 MiB is fast) and nothing of it is kept: the caller
   * can use its buffer again.
   * @throws TraceError when they are not a stream that memsurge reads
   */
  push(chunk: Uint8Array): void;
  /**
   * The capture of everything that was pushed; `truncated` says so when the stream was cut or damaged. `failure` says why
   * no more bytes could be read, where that is not because there are none: a sentence.
   * @throws TraceError when nothing at all can be kept: the stream does not reach beyond its header
   */
  end(failure?: string): StreamCapture;
  readonly progress: NettraceProgress;
  /** Nothing more is read: the end mark was seen, or damage. */
  readonly isFinished: boolean;
}

/**
 * Reads a .nettrace stream (versions 4 to 6) or .netperf (version 3) in one pass, a pure function of bytes.
 *
 * Memory: the capture itself, the stacks that are valid between two sequence points, and at most one incomplete block,
 * which is at most 64 MiB (a larger one is refused as damage) in a buffer that grows with the bytes that came, never with
 * the size a block claims. Counts in the stream allocate nothing before as many bytes are there.
 */
export function createNettraceReader(options: NettraceOptions = {}): NettraceReader {
  let container: Container | undefined;
  let stream: Stream | undefined;
  /** Why reading ended: the end mark, or the sentence for `truncated`. */
  let finished = false;
  let damage: string | undefined;
  let isDamaged = false;
  /** Bytes before the unit at hand, and the incomplete unit itself. */
  let consumed = 0;
  let pending: Uint8Array = new Uint8Array(0);
  let pendingLength = 0;
  /** How many bytes the incomplete unit needs; 0 when its own header is incomplete. */
  let needed = 0;
  const cursor: Cursor = cursorOver();
  const unit: Unit = { kind: 'other', version: 0, from: 0, to: 0, next: 0 };
  const progress = { events: 0, eventsLost: 0, gcHeapBytes: Number.NaN, lastEventTime: Number.NaN };

  /** Reads the units in [from, to) of `bytes`; gives the position of the first incomplete one. */
  const readUnits = (bytes: Uint8Array, from: number, to: number): number => {
    Object.assign(cursor, { bytes, view: viewOf(bytes), pos: from, end: to });
    if (container === undefined) {
      const magic = readMagic(cursor);
      if (magic === undefined) return from;
      container = magic.container;
      cursor.pos += magic.length;
      consumed += magic.length;
    }
    needed = 0;
    while (!finished && cursor.pos < to) {
      const found = readUnit(container, cursor, consumed, unit);
      if (found !== 'whole') {
        needed = found === 'part' ? unit.next - cursor.pos : 0;
        break;
      }
      readWholeUnit(bytes, to);
      consumed += unit.next - cursor.pos;
      cursor.pos = unit.next;
    }
    return finished ? to : cursor.pos;
  };

  const readWholeUnit = (bytes: Uint8Array, available: number): void => {
    if (unit.kind === 'end') finished = true;
    else if (unit.kind === 'trace') stream ??= createStream(container!, unit, cursor, options.summaryOnly === true);
    else if (stream === undefined) throw new TraceError('this stream does not begin with a description of itself.');
    else stream.read(unit, bytes, cursor.view, available);
  };

  /** Keeps bytes of an incomplete unit, in a buffer that doubles as they come. */
  const keep = (bytes: Uint8Array): void => {
    const length = pendingLength + bytes.length;
    if (length > pending.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(pending.length * 2, MAX_BLOCK_BYTES + 1024)));
      grown.set(pending.subarray(0, pendingLength));
      pending = grown;
    }
    pending.set(bytes, pendingLength);
    pendingLength = length;
  };

  const feed = (chunk: Uint8Array): void => {
    let at = 0;
    while (at < chunk.length && pendingLength > 0 && !finished) {
      const wanted = needed > pendingLength ? needed - pendingLength : 64;
      const taken = chunk.subarray(at, at + wanted);
      at += taken.length;
      keep(taken);
      if (needed > pendingLength) return;
      const rest = readUnits(pending, 0, pendingLength);
      pending.copyWithin(0, rest, pendingLength);
      pendingLength -= rest;
    }
    if (at < chunk.length && !finished) keep(chunk.subarray(readUnits(chunk, at, chunk.length)));
  };

  /** Runs `step`; damage ends the reading and is remembered, once there is something to keep. */
  const guarded = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof DamagedStream || error instanceof RangeError)) throw error;
      const what = error instanceof DamagedStream ? error.message : 'a value lies outside its block';
      if (stream === undefined)
        throw new TraceError(`the stream is damaged in its header (${what}): nothing can be read.`);
      isDamaged = true;
      damage = damageText(consumed, options.size, stream.seconds(), what);
      finished = true;
    }
    stream?.update(progress);
  };

  return {
    progress,
    get isFinished() {
      return finished;
    },
    push(chunk) {
      // A Buffer is another class than the Uint8Array of incomplete units: one class of array keeps the hot loops simple.
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (!finished) guarded(() => feed(bytes));
      if (finished) {
        pending = new Uint8Array(0);
        pendingLength = 0;
      }
    },
    end(failure) {
      if (stream === undefined) {
        throw new TraceError('the stream ends in its header: the process wrote no event before it ended.');
      }
      const known = stream;
      if (!finished) {
        damage = `The stream ends without its end mark at byte ${consumed + pendingLength}: the recording was cut off.`;
        guarded(() => {
          Object.assign(cursor, { bytes: pending, view: viewOf(pending), pos: 0, end: pendingLength });
          if (readUnit(container!, cursor, consumed, unit) !== 'part') return;
          known.read(unit, pending, cursor.view, pendingLength);
        });
        finished = true;
        isDamaged ||= failure !== undefined || needed > MAX_CUT_BYTES;
      }
      return known.finish(failure ?? damage, isDamaged);
    },
  };
}

/** Runtimes end a block at some 100 KB: where one that claims far more is not all there, its length is damaged. */
const MAX_CUT_BYTES = 1 << 20;

/** Where the stream ends to be one, and what that means for the figures. */
function damageText(at: number, size: number | undefined, seconds: number, what: string): string {
  const share = size ? ` (${((100 * at) / size).toFixed(1)} % of it)` : '';
  const time = `${seconds.toFixed(3)} s after its start`;
  return `The stream is damaged at byte ${at}${share}, ${time} (${what}): what came before is kept, what came after is in no figure.`;
}

/**
 * Reads a whole stream from its chunks, see {@link createNettraceReader}.
 * @throws TraceError when it is not a stream that memsurge reads, or ends in its header
 */
export async function readNettrace(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options?: NettraceOptions,
): Promise<StreamCapture> {
  const reader = createNettraceReader(options);
  try {
    for await (const chunk of chunks) {
      reader.push(chunk);
      // Behind it there may be as many zeros as a file system allows.
      if (reader.isFinished) break;
    }
  } catch (error) {
    // What cannot be read any further ends the stream as damage of its own does.
    if (!(error instanceof TraceError) || !(reader.progress.events > 0)) throw error;
    return reader.end(error.message);
  }
  return reader.end();
}
