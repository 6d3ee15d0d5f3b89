import { type Int32Column, int32Column } from './columns.ts';
import type { FrameIndex, StackIndex } from './tables.ts';

/** The stacks of a trace: a row is a frame on top of another row. */
interface StackRows {
  readonly prefix: Int32Column;
  readonly frame: Int32Column;
  /** The row of `frame` above `prefix`, made when there is none. */
  row(prefix: StackIndex, frame: FrameIndex): StackIndex;
}

/** Slots per row that there are at least: few rows then share a way through the slots. */
const SPACE = 2;
const EMPTY = -1;

/**
 * Stacks can be millions, and each is asked for many times: an open hash of row numbers beside the columns takes a third of
 * the time of a Map, whose keys would be objects on the heap.
 */
export function createStackRows(): StackRows {
  const prefixes = int32Column();
  const frames = int32Column();
  let slots = new Int32Array(1 << 10).fill(EMPTY);

  /** The slot of the row, or the empty one where it belongs. */
  const slotOf = (prefix: StackIndex, frame: FrameIndex): number => {
    const mask = slots.length - 1;
    // Odd factors of large prime-like bits (Knuth, TAOCP 6.4), and the high bits folded onto those that count.
    const mixed = Math.imul(prefix, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    for (let row = slots[slot]; row !== EMPTY; row = slots[slot]) {
      if (prefixes.data[row] === prefix && frames.data[row] === frame) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  };

  const grow = (): void => {
    slots = new Int32Array(slots.length * 2).fill(EMPTY);
    for (let row = 0; row < prefixes.length; row++) slots[slotOf(prefixes.data[row], frames.data[row])] = row;
  };

  return {
    prefix: prefixes,
    frame: frames,
    row(prefix, frame) {
      const slot = slotOf(prefix, frame);
      if (slots[slot] !== EMPTY) return slots[slot];
      const row = prefixes.length;
      slots[slot] = row;
      prefixes.push(prefix);
      frames.push(frame);
      if (prefixes.length * SPACE > slots.length) grow();
      return row;
    },
  };
}
