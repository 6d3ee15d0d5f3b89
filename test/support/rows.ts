import type { AllocationPart, RawAllocations } from '../../src/read/nettrace/capture.ts';

/** The rows of all parts, one after the other, as columns. */
export function rowsOf({ length, parts }: RawAllocations): AllocationPart {
  const numbers = (pick: (part: AllocationPart) => Float64Array) =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  const indices = (pick: (part: AllocationPart) => Int32Array) =>
    Int32Array.from(parts.flatMap((part) => [...pick(part)]));
  return {
    length,
    time: numbers((part) => part.time),
    thread: indices((part) => part.thread),
    heap: Uint8Array.from(parts.flatMap((part) => [...part.heap])),
    type: indices((part) => part.type),
    stack: indices((part) => part.stack),
    objectSize: numbers((part) => part.objectSize),
    amount: numbers((part) => part.amount),
  };
}
