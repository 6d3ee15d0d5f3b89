import { HEAPS, KINDS } from '../trace/kinds.ts';
import { once } from '../trace/once.ts';
import type { IndexedAllocations, Trace } from '../trace/tables.ts';
import { createRecent, type Recent } from './recent.ts';
import { addAll, addRows, type Column, type ErrorOf, type RowFilter, type Sums, WIDTH } from './sums.ts';

/**
 * Sums that are kept of a table of allocations, as data cubes: a cell holds the rows that have the same values in all of
 * the cube's columns. A question that filters and groups by these columns only needs no rows.
 */
export interface Cube {
  /** Number of cells. */
  readonly length: number;
  /** The value of each cell; made when the sums are. */
  readonly columns: Partial<Record<Column, Int32Array | Uint8Array>>;
  /** The cell of each row. */
  cellOfRows(): Int32Array;
  /** Sums of blocks of rows, by what their variance is of. */
  readonly blocks: Map<ErrorOf['unit'], readonly Block[]>;
  /** Sums of ranges of rows. */
  readonly ranges: Recent<Sums>;
}

/** Rows [first, end) of a table, and their sums: cell c is group c + 1. */
interface Block {
  readonly first: number;
  readonly end: number;
  readonly sums: Sums;
}

/** Sums are kept where there are so many rows to each of them: else rows are about as fast, and take no memory. */
const ROWS_PER_CELL = 4;
const MOST_BLOCKS = 16;
/** The questions of a View ask for one range and its threads, the steps of a report for two by turns. */
const MOST_RANGES = 2;

const byStack = new WeakMap<IndexedAllocations, Cube>();
const byShape = new WeakMap<IndexedAllocations, Cube>();

/** By kind, heap, type and stack. Threads would multiply its cells. */
export function cubeByStack(table: IndexedAllocations): Cube {
  return kept(byStack, table, ({ combination, combinations }) => ({
    length: combinations.length,
    columns: combinations,
    cellOfRows: () => combination,
  }));
}

/** By kind, heap, type and thread: few cells, since a program has many more stacks than types. */
export function cubeByShape(trace: Trace, table: IndexedAllocations): Cube {
  return kept(byShape, table, () => {
    const { combination, thread } = table;
    const slots = trace.threads.length + 1;
    const { shapeOf, ...shapes } = shapesOf(trace, table);
    const columns = once(() => timesThreads(shapes, slots));
    return {
      length: shapes.kind.length * slots,
      get columns() {
        return columns();
      },
      cellOfRows() {
        const cells = new Int32Array(table.length);
        for (let row = 0; row < cells.length; row++) cells[row] = shapeOf[combination[row]] * slots + thread[row] + 1;
        return cells;
      },
    };
  });
}

interface Shapes {
  readonly kind: readonly number[];
  readonly heap: readonly number[];
  readonly type: readonly number[];
}

/** A cell per shape and thread slot, those of a shape side by side. */
function timesThreads(shapes: Shapes, slots: number): Cube['columns'] {
  const length = shapes.kind.length * slots;
  const kind = new Uint8Array(length);
  const heap = new Uint8Array(length);
  const type = new Int32Array(length);
  const thread = new Int32Array(length);
  for (let shape = 0, cell = 0; cell < length; shape++) {
    for (let slot = 0; slot < slots; slot++, cell++) {
      kind[cell] = shapes.kind[shape];
      heap[cell] = shapes.heap[shape];
      type[cell] = shapes.type[shape];
      thread[cell] = slot - 1;
    }
  }
  return { kind, heap, type, thread };
}

function kept(
  cubes: WeakMap<IndexedAllocations, Cube>,
  table: IndexedAllocations,
  make: (table: IndexedAllocations) => Omit<Cube, 'blocks' | 'ranges'>,
): Cube {
  const nothing = (): Pick<Cube, 'blocks' | 'ranges'> => ({ blocks: new Map(), ranges: createRecent(MOST_RANGES) });
  const cube = cubes.get(table) ?? Object.assign(make(table), nothing());
  cubes.set(table, cube);
  return cube;
}

/** What combinations are without their stack, numbered as they come; `shapeOf` has the number of each combination. */
function shapesOf(trace: Trace, { combinations }: IndexedAllocations): Shapes & { readonly shapeOf: Int32Array } {
  const numbers = new Int32Array((trace.types.length + 1) * KINDS.length * HEAPS.length);
  const shapeOf = new Int32Array(combinations.length);
  const kind: number[] = [];
  const heap: number[] = [];
  const type: number[] = [];
  for (let one = 0; one < shapeOf.length; one++) {
    const k = combinations.kind[one];
    const h = combinations.heap[one];
    const t = combinations.type[one];
    const at = ((t + 1) * KINDS.length + k) * HEAPS.length + h;
    if (numbers[at] === 0) {
      numbers[at] = kind.push(k);
      heap.push(h);
      type.push(t);
    }
    shapeOf[one] = numbers[at] - 1;
  }
  return { shapeOf, kind, heap, type };
}

/** The blocks of rows inside [first, end). All are summed when one is first asked for. */
export function blocksWithin(
  cube: Cube,
  table: IndexedAllocations,
  error: ErrorOf,
  first: number,
  end: number,
): readonly Block[] {
  if (!isWorth(cube, end - first)) return [];
  let blocks = cube.blocks.get(error.unit);
  if (blocks === undefined) {
    blocks = blocksOf(cube, table, error);
    cube.blocks.set(error.unit, blocks);
  }
  return blocks.filter((block) => block.first >= first && block.end <= end);
}

function isWorth(cube: Cube, rows: number): boolean {
  return rows > 0 && rows >= cube.length * ROWS_PER_CELL;
}

function blocksOf(cube: Cube, table: IndexedAllocations, error: ErrorOf): Block[] {
  const count = Math.min(MOST_BLOCKS, Math.floor(table.length / (cube.length * ROWS_PER_CELL)));
  const cells = cube.cellOfRows();
  return Array.from({ length: count }, (_, block) => {
    const first = Math.round((block * table.length) / count);
    const end = Math.round(((block + 1) * table.length) / count);
    const sums: Sums = new Float64Array((cube.length + 1) * WIDTH);
    addRows(sums, cells, { table }, error, 1, first, end);
    return { first, end, sums };
  });
}

/**
 * Sums by cell of the rows of [first, end) that have the threads asked for, whatever else a View selects: its questions
 * share them, and so do Views that differ in other filters. Undefined where rows are as fast.
 */
export function sumsOfRange(
  cube: Cube,
  { table, threadMask }: Pick<RowFilter, 'table' | 'threadMask'>,
  error: ErrorOf,
  first: number,
  end: number,
): Sums | undefined {
  if (!isWorth(cube, end - first)) return undefined;
  const key = `${error.unit} ${first} ${end} ${threadMask?.join('') ?? ''}`;
  return cube.ranges(key, () => addRange(cube, { table, threadMask }, error, first, end));
}

function addRange(
  cube: Cube,
  rows: Pick<RowFilter, 'table' | 'threadMask'>,
  error: ErrorOf,
  first: number,
  end: number,
): Sums {
  const sums: Sums = new Float64Array((cube.length + 1) * WIDTH);
  const cells = cube.cellOfRows();
  let row = first;
  for (const block of rows.threadMask === undefined ? blocksWithin(cube, rows.table, error, first, end) : []) {
    addRows(sums, cells, rows, error, 1, row, block.first);
    addAll(sums, block.sums);
    row = block.end;
  }
  addRows(sums, cells, rows, error, 1, row, end);
  return sums;
}
