/** Growable columns: a typed array that doubles when it is full, so that filling a table makes no garbage per row. */

type ColumnArray = Float64Array | Int32Array | Uint32Array | Uint8Array;

interface Column<A extends ColumnArray> {
  /** The rows written so far are `data[0 … length)`; the array is replaced when it grows, so never keep it. */
  data: A;
  length: number;
  push(value: number): void;
  /** A copy that holds the rows exactly. */
  finish(): A;
}

function column<A extends ColumnArray>(make: (capacity: number) => A): Column<A> {
  return {
    data: make(64),
    length: 0,
    push(value) {
      if (this.length === this.data.length) {
        const grown = make(this.data.length * 2);
        grown.set(this.data);
        this.data = grown;
      }
      this.data[this.length++] = value;
    },
    finish() {
      return this.data.slice(0, this.length) as A;
    },
  };
}

export type Float64Column = Column<Float64Array>;
export type Int32Column = Column<Int32Array>;
export type Uint32Column = Column<Uint32Array>;
export type Uint8Column = Column<Uint8Array>;

export const float64Column = (): Float64Column => column((n) => new Float64Array(n));
export const int32Column = (): Int32Column => column((n) => new Int32Array(n));
export const uint32Column = (): Uint32Column => column((n) => new Uint32Array(n));
export const uint8Column = (): Uint8Column => column((n) => new Uint8Array(n));
