import { float64Column } from '../../trace/columns.ts';
import { damaged } from './damage.ts';

/**
 * Events lost, from the sequence numbers of each capturing thread: the runtime counts every event that a thread wanted
 * to log, so a gap is a loss (perfview NetTraceFormat_v5.md, "Event Sequence Numbers").
 */
export interface Sequences {
  /** Gaps between events, and what threads are said to have logged after their last event. */
  readonly lost: number;
  /** The part of `lost` that the latest sequence point was behind already: what later damage cannot have invented. */
  readonly lostForSure: number;
  /** Row of a capturing thread. */
  rowOf(thread: number): number;
  /**
   * The thread of `row` logged the event with this number, at `time`.
   * @throws DamagedStream when it logged that one before
   */
  seen(row: number, number: number, time: number): void;
  /** `number` was the last event of the thread of `row`; no loss is counted between. */
  setLast(row: number, number: number): void;
  /** A sequence point or the removal of the thread states that it had logged at least `number` events. */
  reached(thread: number, number: number): void;
  /** A sequence point begins: what was read so far is of one piece. */
  settle(): void;
  /** Forgets the threads: their indices can be given to others. */
  forget(): void;
}

export function createSequences(): Sequences {
  let rows = new Map<number, number>();
  /** Number of the thread's last event, and what a point behind that event said; the lower is void. */
  let last = float64Column();
  let stated = float64Column();
  /** Time of the first event of the thread's latest run. */
  let since = float64Column();
  let gaps = 0;
  /** Sum of `stated` − `last` where that is positive. */
  let trailing = 0;
  let settled = 0;

  const rowOf = (thread: number): number => {
    let row = rows.get(thread);
    if (row === undefined) {
      row = rows.size;
      rows.set(thread, row);
      last.push(0);
      stated.push(0);
      since.push(Number.NEGATIVE_INFINITY);
    }
    return row;
  };
  /** Numbers of 32 bits begin again after the last; the distance says which of two is the later. */
  const distance = (from: number, to: number): number => (to - from) | 0;

  const voidStatement = (row: number): void => {
    trailing -= Math.max(0, distance(last.data[row], stated.data[row]));
    stated.data[row] = last.data[row];
  };

  return {
    get lost() {
      return gaps + trailing;
    },
    get lostForSure() {
      return settled;
    },
    rowOf,
    seen(row, number, time) {
      const gap = distance(last.data[row], number) - 1;
      if (gap < 0) {
        // A thread that begins again is a new one with the id of one that ended; what that one lost stays lost.
        if (number !== 1 || time < since.data[row]) damaged("the numbers of a thread's events go back");
        gaps += Math.max(0, distance(last.data[row], stated.data[row]));
      } else {
        // An event that a sequence point counted can still come after it.
        gaps += gap;
      }
      voidStatement(row);
      last.data[row] = stated.data[row] = number;
      since.data[row] = time;
    },
    setLast(row, number) {
      last.data[row] = stated.data[row] = number;
    },
    reached(thread, number) {
      const row = rowOf(thread);
      // A lower bound: the point was made while threads were logging.
      if (distance(stated.data[row], number) <= 0) return;
      voidStatement(row);
      stated.data[row] = number;
      trailing += distance(last.data[row], number);
    },
    settle() {
      settled = gaps;
    },
    forget() {
      gaps += trailing;
      trailing = 0;
      rows = new Map();
      last = float64Column();
      stated = float64Column();
      since = float64Column();
    },
  };
}
