import type { Answer, Row } from '../query/rows.ts';
import { HEAP_LABELS, type Heap, KIND_LABELS, type Kind } from '../trace/kinds.ts';
import type { Dimension } from '../trace/view.ts';
import { formatBytes, formatCount, formatError, formatShare, shareBar, wrap } from './format.ts';
import type { Shell } from './shell.ts';
import { type Column, formatTable } from './table.ts';

/** Printed where an answer has no rows. */
export const NOTHING = 'Nothing was allocated in this view.';

const BAR_WIDTH = 10;
/** From these widths on there is room for bars beside short names, beside long names, and for modules. */
const WIDTH_FOR_BARS = 72;
const WIDTH_FOR_BARS_BESIDE_CODE = 110;
const WIDTH_FOR_MODULES = 130;

/** One JSON object; a number that JSON cannot hold (no end of the time range) becomes null. */
export function printJson(shell: Shell, answer: unknown): void {
  shell.out(JSON.stringify(answer, null, 2));
}

export function printWarnings(shell: Shell, warnings: readonly string[]): void {
  for (const warning of warnings) shell.err(`memsurge: ${shell.colors.yellow('warning:')} ${warning}`);
}

/** The headline of rows, and what they do not hold. */
export function printHeadline(shell: Shell, answer: Answer): void {
  shell.out(headline(answer));
  if (answer.before !== undefined) shell.out(wrap(beforeText(answer.before), shell.width, '', ''));
}

/** "shown 2.93 GiB of 3.01 GiB · allocated · sampled ±0.3 %" */
export function headline(answer: Answer): string {
  const figure = (amount: Answer['whole']) =>
    answer.unit === 'bytes' ? formatBytes(amount.bytes) : `${formatCount(amount.count)} objects`;
  // The two are sums in different orders, so they may differ by rounding.
  const all = Math.abs(answer.total.bytes - answer.whole.bytes) <= 1e-9 * Math.abs(answer.whole.bytes);
  const shown = all ? `all ${figure(answer.whole)}` : `shown ${figure(answer.total)} of ${figure(answer.whole)}`;
  return [shown, answer.metric, ...(answer.rows.length > 0 ? [accuracyText(answer)] : [])].join(' · ');
}

export function accuracyText({ accuracy, total }: Pick<Answer, 'total' | 'accuracy'>): string {
  if (accuracy === 'exact') return 'exact';
  if (accuracy === 'unknown') return 'estimated, error not known';
  return `sampled${total.error === undefined ? '' : ` ${formatError(total.error)}`}`;
}

/** What is said of blocks from before an attach: `bytes` of them, null when that is not known. */
export function beforeText(bytes: number | null): string {
  if (bytes === null) return 'How much of the native heap was in use before recording began is not known.';
  return `Before recording began ${formatBytes(bytes)} of the native heap were in use, as the C library counts them; nothing else is known of them.`;
}

/** Rows of one dimension as a table. */
export function formatRows(shell: Shell, answer: Answer, dimension: Dimension): string {
  const { rows, unit } = answer;
  if (rows.length === 0) return NOTHING;
  const bytes = unit === 'bytes';
  const figure = (row: Row) => (bytes ? formatBytes(row.bytes) : formatCount(row.count));
  const total = (row: Row) => {
    if (row.totalBytes === undefined || row.totalCount === undefined) return '';
    return bytes ? formatBytes(row.totalBytes) : formatCount(row.totalCount);
  };
  const columns: Column[] = [
    { title: dimension === 'function' ? 'Own' : bytes ? 'Bytes' : 'Objects', align: 'right', cells: rows.map(figure) },
    { title: 'Share', align: 'right', cells: rows.map((row) => formatShare(row.share)) },
  ];
  const ofCode = dimension === 'function' || dimension === 'line';
  if (shell.width >= (ofCode ? WIDTH_FOR_BARS_BESIDE_CODE : WIDTH_FOR_BARS)) {
    columns.push({ title: '', cells: rows.map((row) => shareBar(row.share, BAR_WIDTH)), style: shell.colors.cyan });
  }
  if (answer.accuracy === 'sampled') {
    columns.push({ title: 'Error', align: 'right', cells: rows.map(errorCell), style: shell.colors.dim });
  }
  if (rows.some((row) => row.residentBytes !== undefined)) {
    const cells = rows.map((row) => formatBytes(row.residentBytes ?? 0));
    columns.push({ title: 'Resident', align: 'right', cells });
  }
  if (dimension === 'function') columns.push({ title: 'Total', align: 'right', cells: rows.map(total) });
  columns.push({
    title: bytes ? 'Objects' : 'Bytes',
    align: 'right',
    cells: rows.map((row) => (bytes ? formatCount(row.count) : formatBytes(row.bytes))),
  });
  columns.push({
    title: dimension[0].toUpperCase() + dimension.slice(1),
    cells: rows.map((row) => rowName(row, dimension)),
    flexible: dimension !== 'line',
    style: (text, row) => (rows[row].other ? shell.colors.dim(text) : text),
  });
  if (dimension === 'line') {
    columns.push({ title: 'Function', cells: rows.map((row) => row.function ?? ''), flexible: true });
  }
  if (dimension === 'function' && shell.width >= WIDTH_FOR_MODULES) {
    columns.push({
      title: 'Module',
      cells: rows.map((row) => row.module ?? ''),
      flexible: true,
      style: shell.colors.dim,
    });
  }
  return formatTable(columns, shell.width, shell.colors.bold);
}

function errorCell(row: Row): string {
  return row.bytes === 0 && row.count === 0 ? '' : formatError(row.error);
}

/** The name a person reads: kinds and heaps by their full names, near lines marked, "other" with what it stands for. */
export function rowName(row: Row, dimension: Dimension): string {
  if (row.other) return `other (${row.folded} more)`;
  if (dimension === 'kind') return KIND_LABELS[row.name as Kind];
  if (dimension === 'heap') return HEAP_LABELS[row.name as Heap];
  return row.near ? `${row.name} (near)` : row.name;
}
