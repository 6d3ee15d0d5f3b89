import { TraceError } from '../../trace/errors.ts';
import { type Cursor, cursorOver, i64At, readVarString } from './bytes.ts';
import { damaged } from './damage.ts';
import type { Unit } from './framing.ts';

/** What a stream says of itself. Times are ticks of its clock. */
interface TraceHeader {
  startedAt: number;
  startTicks: number;
  nsPerTick: number;
  pointerSize: 4 | 8;
  pid: number;
}

/** Date (8 × i16: year, month, day of week, day, …), i64 ticks, i64 frequency, i32 pointer size; the same up to version 6. */
function readTraceStart(view: DataView, at: number): Omit<TraceHeader, 'pid'> {
  const [year, month, , day, hour, minute, second, ms] = Array.from({ length: 8 }, (_, i) =>
    view.getInt16(at + 2 * i, true),
  );
  const frequency = i64At(view, at + 24);
  const pointerSize = view.getInt32(at + 32, true);
  if (!(frequency > 0))
    throw new TraceError(`the stream states a clock of ${frequency} ticks per second: it is damaged.`);
  if (pointerSize !== 4 && pointerSize !== 8) {
    throw new TraceError(`the stream states pointers of ${pointerSize} bytes: it is damaged.`);
  }
  return {
    startedAt: Date.UTC(year, month - 1, day, hour, minute, second, ms),
    startTicks: i64At(view, at + 16),
    nsPerTick: 1e9 / frequency,
    pointerSize,
  };
}

/** Then i32 process id, i32 processors, i32 sampling rate. */
export function readTraceObject(c: Cursor, from: number): TraceHeader {
  return { ...readTraceStart(c.view, from), pid: c.view.getInt32(from + 36, true) };
}

/** Then i32 count of key-value pairs; the process id is one of them where there is one process. */
export function readTraceBlock(c: Cursor, unit: Unit): TraceHeader {
  if (unit.to - unit.from < 40) damaged('the description of the trace is too short');
  const pairs = cursorOver(c.bytes, unit.from + 40, unit.to);
  let pid = 0;
  for (let left = c.view.getUint32(unit.from + 36, true); left > 0 && pairs.pos < pairs.end; left--) {
    const key = readVarString(pairs);
    const value = readVarString(pairs);
    if (key === 'ProcessId' && Number.isSafeInteger(Number(value))) pid = Number(value);
  }
  return { ...readTraceStart(c.view, unit.from), pid };
}
