import type { AllocationTable, CombinationTable, IndexedAllocations } from './tables.ts';

/**
 * Finds the distinct combinations of thread, kind, heap, type and stack among allocations, by a hash table with open
 * addressing. Allocations repeat few of them: what a query asks of a combination, it need not ask of every row.
 */
export function indexed(allocations: AllocationTable): IndexedAllocations {
  const { length } = allocations;
  const combination = new Int32Array(length);
  const found = createCombinations();
  for (let row = 0; row < length; row++) combination[row] = found.add(allocations, row);
  return { ...allocations, combination, combinations: found.finish() };
}

/** Numbers of a key, side by side so that one comparison touches one cache line: stack, type, thread, kind and heap. */
const KEY = 4;

function createCombinations() {
  let keys = new Int32Array(1024 * KEY);
  let length = 0;
  /** Combination + 1 by hash, 0 where there is none; at most half full. */
  let slots = new Int32Array(2048);

  const grow = (): void => {
    const more = new Int32Array(keys.length * 2);
    more.set(keys);
    keys = more;
    slots = new Int32Array(slots.length * 2);
    for (let one = 0; one < length; one++) {
      const at = one * KEY;
      let slot = hash(keys[at], keys[at + 1], keys[at + 2], keys[at + 3]) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = one + 1;
    }
  };

  return {
    add({ stack, type, thread, kind, heap }: AllocationTable, row: number): number {
      const s = stack[row];
      const t = type[row];
      const by = thread[row];
      const where = (kind[row] << 8) | heap[row];
      let slot = hash(s, t, by, where) & (slots.length - 1);
      for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
        const at = (slots[slot] - 1) * KEY;
        if (keys[at] === s && keys[at + 1] === t && keys[at + 2] === by && keys[at + 3] === where) {
          return slots[slot] - 1;
        }
      }
      const at = length * KEY;
      keys[at] = s;
      keys[at + 1] = t;
      keys[at + 2] = by;
      keys[at + 3] = where;
      slots[slot] = ++length;
      if (length * KEY === keys.length) grow();
      return length - 1;
    },

    finish(): CombinationTable {
      const part = (n: number) => Int32Array.from({ length }, (_, one) => keys[one * KEY + n]);
      const where = part(3);
      return {
        length,
        stack: part(0),
        type: part(1),
        thread: part(2),
        kind: Uint8Array.from(where, (both) => both >> 8),
        heap: Uint8Array.from(where, (both) => both & 0xff),
      };
    },
  };
}

/** Multiplies and shifts as MurmurHash3's finalizer does, so that neighbours in any part lie far apart. */
function hash(stack: number, type: number, thread: number, where: number): number {
  let h = Math.imul(stack, 0x9e3779b1) ^ Math.imul(type, 0x85ebca6b) ^ Math.imul(thread, 0xc2b2ae35) ^ where;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
