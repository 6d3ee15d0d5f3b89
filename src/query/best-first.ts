/** A priority queue that gives the heaviest entry first; of equal weight the one that came first. */
export interface BestFirst<T> {
  push(weight: number, entry: T): void;
  pop(): T | undefined;
}

/** A binary heap in an array. */
export function createBestFirst<T>(): BestFirst<T> {
  const heap: { weight: number; order: number; entry: T }[] = [];
  let order = 0;
  const before = (a: number, b: number): boolean =>
    heap[a].weight > heap[b].weight || (heap[a].weight === heap[b].weight && heap[a].order < heap[b].order);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b], heap[a]];
  };
  return {
    push(weight, entry) {
      let at = heap.push({ weight, order: order++, entry }) - 1;
      for (let parent = (at - 1) >> 1; at > 0 && before(at, parent); parent = (at - 1) >> 1) {
        swap(at, parent);
        at = parent;
      }
    },
    pop() {
      if (heap.length === 0) return undefined;
      swap(0, heap.length - 1);
      const { entry } = heap.pop() as { entry: T };
      let at = 0;
      for (;;) {
        const left = 2 * at + 1;
        let first = at;
        if (left < heap.length && before(left, first)) first = left;
        if (left + 1 < heap.length && before(left + 1, first)) first = left + 1;
        if (first === at) return entry;
        swap(at, first);
        at = first;
      }
    },
  };
}
