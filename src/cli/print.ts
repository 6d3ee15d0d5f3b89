import type { Answer, Row } from '../query/rows.ts';
import { plural } from '../trace/plural.ts';
import { printable, printableJson } from '../trace/printable.ts';
import { shellWord } from '../trace/shell-word.ts';
import type { Dimension } from '../trace/view.ts';
import { formatBytes, formatCount, formatError, formatShare } from '../wording/figures.ts';
import {
  beforeText,
  besideText,
  headline,
  netText,
  nothingText,
  residentAgeText,
  residentText,
  rowName,
} from '../wording/rows.ts';
import type { Shell } from './shell.ts';
import { type Column, formatTable } from './table.ts';
import { shareBar, wrap } from './terminal.ts';
import type { Opened } from './view-options.ts';

const BAR_WIDTH = 10;
/** From these widths on there is room for bars beside short names, beside long names, and for modules. */
const WIDTH_FOR_BARS = 72;
const WIDTH_FOR_BARS_BESIDE_CODE = 110;
const WIDTH_FOR_MODULES = 130;

/** One JSON object; a number that JSON cannot hold (no end of the time range) becomes null. */
export function printJson(shell: Shell, answer: unknown): void {
  shell.out(printableJson(JSON.stringify(answer, null, 2)));
}

/** Each in full: what the reader of the report, or of this answer alone, must know. */
export function printWarnings(shell: Shell, warnings: readonly string[]): void {
  for (const warning of warnings) shell.err(`memsurge: ${shell.colors.yellow('warning:')} ${printable(warning)}`);
}

/** Those of this answer in full; those of the whole recording, which every answer carries, as one line. */
export function printAnswerWarnings(shell: Shell, warnings: readonly string[], { trace, path }: Opened): void {
  const ofRecording = new Set(trace.recording.warnings);
  printWarnings(
    shell,
    warnings.filter((warning) => !ofRecording.has(warning)),
  );
  const { size } = ofRecording;
  if (size === 0) return;
  const count = `${size} ${plural(size, 'warning')} of the recording`;
  shell.err(
    `memsurge: ${shell.colors.yellow(count)}: memsurge report ${shellWord(path)} shows ${plural(size, 'it', 'them')}`,
  );
}

/** The headline of rows, and what they do not hold. */
export function printHeadline(shell: Shell, answer: Answer, note = ''): void {
  shell.out(wrap(headline(answer) + note, shell.width));
  const net = netText(answer);
  if (net !== '') shell.out(wrap(net, shell.width));
  if (answer.before !== undefined) shell.out(wrap(beforeText(answer.before), shell.width));
  if (answer.residentAge !== undefined) shell.out(wrap(residentAgeText(answer), shell.width));
}

/** Rows of one dimension as a table. */
export function formatRows(shell: Shell, answer: Answer, dimension: Dimension): string {
  const { unit } = answer;
  // Functions that only call others may be all of it.
  const rows = answer.rows.filter((row) => !(row.other && row.bytes === 0 && row.count === 0));
  if (rows.length === 0) return wrap(nothingText(answer), shell.width);
  const bytes = unit === 'bytes';
  const figure = (row: Row) => (bytes ? formatBytes(row.bytes) : formatCount(row.count));
  const total = (row: Row) => {
    if (row.totalBytes === undefined || row.totalCount === undefined) return '';
    return bytes ? formatBytes(row.totalBytes) : formatCount(row.totalCount);
  };
  const columns: Column[] = [
    { title: dimension === 'function' ? 'Own' : bytes ? 'Bytes' : 'Objects', align: 'right', cells: rows.map(figure) },
    { title: 'Share', align: 'right', cells: rows.map((row) => formatShare(row.share)), spare: 5 },
  ];
  const ofCode = dimension === 'function' || dimension === 'line';
  if (shell.width >= (ofCode ? WIDTH_FOR_BARS_BESIDE_CODE : WIDTH_FOR_BARS)) {
    columns.push({ title: '', cells: rows.map((row) => shareBar(row.share, BAR_WIDTH)), style: shell.colors.cyan });
  }
  if (answer.accuracy === 'sampled') {
    columns.push({ title: 'Error', align: 'right', cells: rows.map(errorCell), style: shell.colors.dim, spare: 4 });
  }
  if (rows.some((row) => row.residentBytes !== undefined)) {
    columns.push({ title: 'Resident', align: 'right', cells: rows.map(residentText), spare: 2 });
  }
  if (dimension === 'function') {
    columns.push({ title: 'Total', align: 'right', cells: rows.map(total), spare: 3 });
  }
  columns.push({
    title: bytes ? 'Objects' : 'Bytes',
    align: 'right',
    cells: rows.map((row) => besideText(answer, row)),
    spare: 1,
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
