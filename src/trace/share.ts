import type { Trace } from './tables.ts';

/**
 * The same trace with all its columns in shared memory: sent to other threads, they are not copied once more for each.
 * Names and texts still are.
 */
export function shareTrace(trace: Trace): Trace {
  return shared(trace) as Trace;
}

function shared(value: unknown): unknown {
  if (value instanceof Float64Array) return filled(new Float64Array(memory(value)), value);
  if (value instanceof Int32Array) return filled(new Int32Array(memory(value)), value);
  if (value instanceof Uint32Array) return filled(new Uint32Array(memory(value)), value);
  if (value instanceof Uint8Array) return filled(new Uint8Array(memory(value)), value);
  if (ArrayBuffer.isView(value)) throw new TypeError(`a column of ${value.constructor.name} cannot be shared`);
  if (Array.isArray(value)) return value.map(shared);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shared(part)]));
}

const memory = (column: ArrayBufferView) => new SharedArrayBuffer(column.byteLength);

function filled<A extends { set(from: A): void }>(copy: A, column: A): A {
  copy.set(column);
  return copy;
}
