/**
 * An index of rows by a key of three 32-bit integers: open addressing over typed arrays, so that a lookup makes no
 * garbage. Rows are numbered in the order in which they were added.
 */
export interface KeyIndex {
  readonly length: number;
  /** Row of the key; a new row when it was not there (then it equals the old length). */
  add(a: number, b: number, c: number): number;
}

export function createKeyIndex(): KeyIndex {
  let keys = new Int32Array(3 * 64);
  let slots = new Int32Array(128).fill(-1);
  let length = 0;

  const slotOf = (a: number, b: number, c: number): number => {
    const mask = slots.length - 1;
    let slot = hash(a, b, c) & mask;
    for (;;) {
      const row = slots[slot];
      if (row < 0 || (keys[3 * row] === a && keys[3 * row + 1] === b && keys[3 * row + 2] === c)) return slot;
      slot = (slot + 1) & mask;
    }
  };
  const grow = (): void => {
    const grown = new Int32Array(keys.length * 2);
    grown.set(keys);
    keys = grown;
    slots = new Int32Array(slots.length * 2).fill(-1);
    for (let row = 0; row < length; row++) slots[slotOf(keys[3 * row], keys[3 * row + 1], keys[3 * row + 2])] = row;
  };

  return {
    get length() {
      return length;
    },
    add(a, b, c) {
      a |= 0;
      b |= 0;
      c |= 0;
      let slot = slotOf(a, b, c);
      if (slots[slot] >= 0) return slots[slot];
      if (3 * length === keys.length) {
        grow();
        slot = slotOf(a, b, c);
      }
      keys[3 * length] = a;
      keys[3 * length + 1] = b;
      keys[3 * length + 2] = c;
      slots[slot] = length;
      return length++;
    },
  };
}

function hash(a: number, b: number, c: number): number {
  let h = Math.imul(a ^ (a >>> 15), 0x85eb_ca6b);
  h = Math.imul(h ^ b ^ (h >>> 13), 0xc2b2_ae35);
  h = Math.imul(h ^ c ^ (h >>> 16), 0x27d4_eb2f);
  return h ^ (h >>> 15);
}
