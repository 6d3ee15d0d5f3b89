import type { AllocationTable, CombinationTable, IndexedAllocations } from './tables.ts';

/**
 * Finds the distinct combinations of kind, heap, type and stack among allocations, by a hash table with open addressing,
 * and numbers them in the order of their stacks. Allocations repeat few of them: what a query asks of a combination, it
 * need not ask of every row. Threads are left out: each would have nearly all of them again.
 */
export function indexed(allocations: AllocationTable): IndexedAllocations {
  const { length } = allocations;
  const combination = new Int32Array(length);
  const found = createCombinations();
  for (let row = 0; row < length; row++) combination[row] = found.add(allocations, row);
  const { combinations, numbers } = found.finish();
  for (let row = 0; row < length; row++) combination[row] = numbers[combination[row]];
  return { ...allocations, combination, combinations };
}

/** Numbers of a key, side by side so that a comparison touches one cache line: stack, type, kind and heap. */
const KEY = 3;

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
      let slot = hash(keys[at], keys[at + 1], keys[at + 2]) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = one + 1;
    }
  };

  return {
    add({ stack, type, kind, heap }: AllocationTable, row: number): number {
      const s = stack[row];
      const t = type[row];
      const where = (kind[row] << 8) | heap[row];
      let slot = hash(s, t, where) & (slots.length - 1);
      for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
        const at = (slots[slot] - 1) * KEY;
        if (keys[at] === s && keys[at + 1] === t && keys[at + 2] === where) return slots[slot] - 1;
      }
      const at = length * KEY;
      keys[at] = s;
      keys[at + 1] = t;
      keys[at + 2] = where;
      slots[slot] = ++length;
      if (length * KEY === keys.length) grow();
      return length - 1;
    },

    /** `numbers` has the row in the table of each combination. */
    finish(): { combinations: CombinationTable; numbers: Int32Array } {
      const order = Float64Array.from({ length }, (_, one) => (keys[one * KEY] + 1) * length + one).sort();
      const found = (row: number) => (order[row] % length) * KEY;
      const numbers = new Int32Array(length);
      for (let row = 0; row < length; row++) numbers[order[row] % length] = row;
      const combinations: CombinationTable = {
        length,
        stack: Int32Array.from(order, (_, row) => keys[found(row)]),
        type: Int32Array.from(order, (_, row) => keys[found(row) + 1]),
        kind: Uint8Array.from(order, (_, row) => keys[found(row) + 2] >> 8),
        heap: Uint8Array.from(order, (_, row) => keys[found(row) + 2] & 0xff),
      };
      return { combinations, numbers };
    },
  };
}

/** Multiplies and shifts as MurmurHash3's finalizer does, so that neighbours in any part lie far apart. */
function hash(stack: number, type: number, where: number): number {
  let h = Math.imul(stack, 0x9e3779b1) ^ Math.imul(type, 0x85ebca6b) ^ where;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
