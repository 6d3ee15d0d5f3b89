import { printable } from '../trace/printable.ts';

/** A column of what is copied or saved: `text` for a person, `value` for a program where that is another. */
export interface SavedColumn<R> {
  readonly title: string;
  readonly text: (row: R) => string;
  readonly value?: (row: R) => number | string | null | undefined;
}

/** Copies rows as text, or saves them as a file of comma-separated values or JSON with exact figures. */
export function saveRows<R>(
  name: string,
  columns: readonly SavedColumn<R>[],
  rows: readonly R[],
  how: 'text' | 'csv' | 'json',
): void {
  const named = columns.filter(({ title }) => title !== '');
  const value = (column: SavedColumn<R>, row: R) => (column.value ? column.value(row) : column.text(row)) ?? null;
  if (how === 'text') {
    void copyText(asText(named.map(({ title, text }) => [title, ...rows.map(text)])));
  } else if (how === 'csv') {
    const lines = [named.map(({ title }) => title), ...rows.map((row) => named.map((column) => value(column, row)))];
    download(`${name}.csv`, 'text/csv', `${lines.map((cells) => cells.map(csvCell).join(',')).join('\r\n')}\r\n`);
  } else {
    const objects = rows.map((row) => Object.fromEntries(named.map((column) => [column.title, value(column, row)])));
    download(`${name}.json`, 'application/json', JSON.stringify(objects, null, 2));
  }
}

/** Columns side by side, each as wide as its widest cell. */
function asText(columns: readonly (readonly string[])[]): string {
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const rows = columns[0]?.length ?? 0;
  return Array.from({ length: rows }, (_, row) =>
    columns
      .map((cells, i) => cells[row].padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  ).join('\n');
}

/** RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe. */
function csvCell(value: number | string | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const plain = printable(value);
  const text = /^[=+\-@\t]/.test(value) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission there is still the old way.
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

function download(name: string, type: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
