import type { Row } from '../query/rows.ts';

/** "module!function" of a row of functions or lines, as the View and questions name it; empty for what has no name. */
export function qualifiedRow(row: Pick<Row, 'name' | 'module' | 'function' | 'other'>): string {
  const name = row.function ?? row.name;
  if (row.other || name.startsWith('[')) return '';
  return `${row.module ?? '?'}!${name}`;
}

/** Where the last part of a name begins, its type arguments and parameters left aside; a place in an image is one part. */
export function lastPartOf(name: string): number {
  if (name.includes('!+0x')) return 0;
  let depth = 0;
  for (let i = name.length - 1; i > 0; i--) {
    if (')>]'.includes(name[i])) depth++;
    else if ('(<['.includes(name[i])) depth--;
    else if (depth === 0 && (name[i] === '.' || name[i] === ':')) return i + 1;
  }
  return 0;
}
