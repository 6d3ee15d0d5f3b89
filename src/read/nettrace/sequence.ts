import { uint32Column } from '../../trace/columns.ts';

/**
 * Events lost, from the sequence numbers of each capturing thread: the runtime counts every event that a thread wanted
 * to log, so a gap is a loss (perfview NetTraceFormat_v5.md, "Event Sequence Numbers").
 */
export interface Sequences {
  readonly lost: number;
  /** Row of a capturing thread. */
  rowOf(thread: number): number;
  /** The thread of `row` logged the event with this number. */
  seen(row: number, number: number): void;
  /** `number` was the last event of the thread of `row`; no loss is counted between. */
  setLast(row: number, number: number): void;
  /** A sequence point or the removal of the thread states that it had logged at least `number` events. */
  reached(thread: number, number: number): void;
  /** Forgets the threads: their indices can be given to others. */
  forget(): void;
}

export function createSequences(): Sequences {
  let rows = new Map<number, number>();
  let last = uint32Column();
  let lost = 0;

  const rowOf = (thread: number): number => {
    let row = rows.get(thread);
    if (row === undefined) {
      row = rows.size;
      rows.set(thread, row);
      last.push(0);
    }
    return row;
  };

  return {
    get lost() {
      return lost;
    },
    rowOf,
    seen(row, number) {
      // A number that went back is a new thread with the id of one that ended, not a loss.
      const gap = (number - last.data[row] - 1) | 0;
      if (gap > 0) lost += gap;
      last.data[row] = number;
    },
    setLast(row, number) {
      last.data[row] = number;
    },
    reached(thread, number) {
      const row = rowOf(thread);
      const gap = (number - last.data[row]) | 0;
      if (gap > 0) lost += gap;
      last.data[row] = number;
    },
    forget() {
      rows = new Map();
      last = uint32Column();
    },
  };
}
