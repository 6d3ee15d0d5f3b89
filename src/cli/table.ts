import Table from 'cli-table3';
import { printable } from '../trace/printable.ts';
import { shorten } from './terminal.ts';

/** A column of a printed table. Cells are plain text; `style` colours them once their width is known. */
export interface Column {
  readonly title: string;
  readonly cells: readonly string[];
  readonly align?: 'left' | 'right';
  /** Cells may be cut when the table is too wide: by `cut`, or in the middle without one. */
  readonly flexible?: boolean;
  readonly cut?: (row: number, width: number) => string;
  /** Where flexible columns have no room to tell anything, columns with such a number are left out, the lowest first. */
  readonly spare?: number;
  readonly style?: (text: string, row: number) => string;
}

const GAP = 2;
const NARROWEST = 12;
/** Names may be of any length; so much of one says what it is. */
const MOST = 4096;
/** A flexible column narrower than this says little. */
const TELLING = 20;

/** The columns as lines that fit `width` characters (Infinity: as wide as they need), with a header line. */
export function formatTable(all: readonly Column[], width: number, header: (text: string) => string): string {
  const columns = fitColumns(all, width);
  const widths = fitWidths(columns, width);
  const table = new Table({
    head: columns.map(({ title }, i) => header(shorten(title, widths[i]))),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    chars: NO_BORDERS,
  });
  const rows = columns[0]?.cells.length ?? 0;
  for (let row = 0; row < rows; row++) {
    table.push(
      columns.map(({ cells, cut, style }, i) => {
        const cell = printable(cells[row]);
        const text = cell.length > widths[i] && cut ? printable(cut(row, widths[i])) : shorten(cell, widths[i]);
        return style ? style(text, row) : text;
      }),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(GAP),
};

const naturalWidth = ({ title, cells }: Column) =>
  cells.reduce((max, cell) => Math.max(max, Math.min(cell.length, MOST)), title.length);

const sum = (widths: readonly number[]) => widths.reduce((all, one) => all + one, GAP * (widths.length - 1));

/** The columns without those that must go so that what is left tells something. */
function fitColumns(all: readonly Column[], width: number): readonly Column[] {
  const needed = (column: Column) => (column.flexible ? Math.min(naturalWidth(column), TELLING) : naturalWidth(column));
  let columns = all;
  while (sum(columns.map(needed)) > width) {
    const spare = columns.filter((column) => column.spare !== undefined);
    if (spare.length === 0) break;
    const least = spare.reduce((best, column) => (column.spare! < best.spare! ? column : best));
    columns = columns.filter((column) => column !== least);
  }
  return columns;
}

/** Natural widths, with the flexible columns shrunk evenly until the table fits. */
function fitWidths(columns: readonly Column[], width: number): number[] {
  const widths = columns.map(naturalWidth);
  while (sum(widths) > width) {
    let widest = -1;
    columns.forEach(({ flexible }, i) => {
      if (flexible && widths[i] > NARROWEST && (widest < 0 || widths[i] > widths[widest])) widest = i;
    });
    if (widest < 0) break;
    // Down to the next widest flexible column at once would be faster; names are short enough for one by one.
    widths[widest]--;
  }
  return widths;
}
