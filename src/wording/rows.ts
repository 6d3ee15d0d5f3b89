import type { Answer, Row } from '../query/rows.ts';
import { HEAP_LABELS, type Heap, KIND_LABELS, type Kind } from '../trace/kinds.ts';
import { plural } from '../trace/plural.ts';
import { printable } from '../trace/printable.ts';
import type { Dimension, Unit } from '../trace/view.ts';
import { formatBytes, formatCount, formatError, formatTime } from './figures.ts';

/** Nothing was counted because nothing, or not all, was recorded. */
export function isUnrecorded({ nothing }: Pick<Answer<unknown>, 'nothing'>): boolean {
  return nothing?.about === 'unrecorded' || nothing?.about === 'partly-unrecorded';
}

/** Shown where an answer has no rows: that nothing was recorded is something else than that there was nothing. */
export function nothingText(
  { nothing }: Pick<Answer<unknown>, 'nothing'>,
  nothingThere = 'Nothing was allocated in this view.',
): string {
  switch (nothing?.about) {
    case 'unread':
      return 'The trace is still being read.';
    case 'unrecorded':
      return `Not recorded: ${nothing.texts.join('; ')}.`;
    case 'partly-unrecorded':
      return `Nothing that was recorded is in this view, but not all was: ${nothing.texts.join('; ')}.`;
    default:
      return nothingThere;
  }
}

/** "shown 2.93 GiB of 3.01 GiB · allocated · sampled ±0.3 %" */
export function headline(answer: Answer<unknown>): string {
  return [shownText(answer), answer.metric, ...(answer.nothing === undefined ? [accuracyText(answer)] : [])].join(
    ' · ',
  );
}

/** "shown 2.93 GiB of 3.01 GiB", "all 3.01 GiB". */
export function shownText({ total, whole, unit }: Pick<Answer, 'total' | 'whole' | 'unit'>): string {
  const figure = (amount: Answer['whole']) =>
    unit === 'bytes' ? formatBytes(amount.bytes) : `${formatCount(amount.count)} ${plural(amount.count, 'object')}`;
  // The two are sums in different orders, so they may differ by rounding.
  const all = Math.abs(total.bytes - whole.bytes) <= 1e-9 * Math.abs(whole.bytes);
  return all ? `all ${figure(whole)}` : `shown ${figure(total)} of ${figure(whole)}`;
}

/** What must be known of a difference: why it is told, and what its shares are. Empty for every other metric. */
export function netText({
  metric,
  onlyNet,
  rows,
}: Pick<Answer<{ readonly share: number }>, 'metric' | 'onlyNet' | 'rows'>): string {
  if (metric !== 'net') return '';
  return [
    '"net" is what was allocated in the range minus what was released in it',
    ...(onlyNet
      ? [
          ': of a range inside the recording nobody knows what of it was still held at its end, for this memory is counted without event times',
        ]
      : []),
    '.',
    ...(rows.some(({ share }) => share > 1 || share < 0)
      ? [' Shares are of this difference, so they can be above 100 % and below 0 %.']
      : []),
  ].join('');
}

/** "exact", "sampled ±0.3 %". */
export function accuracyText({ accuracy, total }: Pick<Answer, 'total' | 'accuracy'>): string {
  if (accuracy === 'exact') return 'exact';
  if (accuracy === 'unknown') return 'error not known';
  if (total.error === undefined) return 'sampled';
  return `sampled${total.error === null ? ', error' : ''} ${formatError(total.error)}`;
}

/** "16.3 MiB (sampled ±11 %) requested in ≈ 17.5 k blocks": the error is that of the unit asked for. */
export function amountText(
  { total, accuracy }: Pick<Answer, 'total' | 'accuracy'>,
  unit: Unit,
  done: string,
  noun: string,
): string {
  const figures = {
    bytes: formatBytes(total.bytes),
    count: `${formatCount(total.count)} ${plural(total.count, noun)}`,
  };
  const about = accuracy === 'exact' ? '' : '≈ ';
  const beside = unit === 'bytes' ? `in ${about}${figures.count}` : `of ${about}${figures.bytes}`;
  return `${figures[unit]} (${accuracyText({ total, accuracy })}) ${done} ${beside}`;
}

/** A row's figure in the unit that was not asked for, whose error is not stated: "≈ 21.2 k" where it is an estimate. */
export function besideText(
  { unit, accuracy }: Pick<Answer, 'unit' | 'accuracy'>,
  row: Pick<Row, 'bytes' | 'count' | 'error'>,
): string {
  const isExact = accuracy === 'exact' || (accuracy === 'sampled' && row.error === undefined);
  const figure = unit === 'bytes' ? formatCount(row.count) : formatBytes(row.bytes);
  return isExact ? figure : `≈ ${figure}`;
}

/** False of a dimension that the memory does not have: native memory is in no GC heap and knows no types, one process is no choice. */
export function tells(dimension: Dimension, rows: readonly Row[]): boolean {
  if (dimension === 'process') return rows.length > 1;
  return rows.some(({ name }) => name !== 'none' && name !== '[no type]');
}

/** Shown where no collection of the GC heap is known. */
export const NO_COLLECTION = 'No garbage collection ended in this view, so the GC heap was never measured.';

/** The name a person reads: kinds and heaps by their full names, near lines marked, "other" with what it stands for. */
export function rowName(row: Row, dimension: Dimension): string {
  if (row.other) return `other (${row.folded} more)`;
  if (dimension === 'kind') return KIND_LABELS[row.name as Kind];
  if (dimension === 'heap') return HEAP_LABELS[row.name as Heap];
  const name = printable(row.name);
  return row.near ? `${name} (near)` : name;
}

/** What is said of lines that are marked so. */
export const NEAR_MEANS = '(near): optimised code keeps few line marks; the line is near the true one, not surely it.';

/** What is said of blocks from before an attach: `bytes` of them, null when that is not known. */
export function beforeText(bytes: number | null): string {
  if (bytes === null) return 'How much of the native heap was in use before recording began is not known.';
  return `Before recording began ${formatBytes(bytes)} of the native heap were in use, as the C library counts them; nothing else is known of them.`;
}

/** What of a row was in memory: "30.0 MiB", "≥ 30.0 MiB" where a part of the row is younger than the measurement; empty: not measured. */
export function residentText(row: Pick<Row, 'bytes' | 'residentBytes' | 'measuredBytes'>): string {
  if (row.residentBytes === undefined) return '';
  return `${isMeasuredInPart(row) ? '≥ ' : ''}${formatBytes(row.residentBytes)}`;
}

function isMeasuredInPart({ bytes, measuredBytes }: Pick<Row, 'bytes' | 'measuredBytes'>): boolean {
  return measuredBytes !== undefined && measuredBytes < bytes && formatBytes(measuredBytes) !== formatBytes(bytes);
}

/** When what is in memory was measured, of an answer with `residentAge`. */
export function residentAgeText({ rows, residentAge = 0 }: Pick<Answer, 'rows' | 'residentAge'>): string {
  const measured = `Resident was measured ${formatTime(residentAge)} before the end`;
  return rows.some(isMeasuredInPart)
    ? `${measured}; where it reads ≥, the rest of the row is younger or was not looked at: it may be in memory or not.`
    : `${measured}.`;
}
