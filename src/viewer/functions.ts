import type { Row } from '../query/rows.ts';

/** "module!function" of a row of functions or lines, as the View and questions name it; empty for what has no name. */
export function qualifiedRow(row: Pick<Row, 'name' | 'module' | 'function' | 'other'>): string {
  const name = row.function ?? row.name;
  if (row.other || name.startsWith('[')) return '';
  return `${row.module ?? '?'}!${name}`;
}
