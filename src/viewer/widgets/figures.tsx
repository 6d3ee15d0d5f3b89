import type { JSX } from 'preact';
import type { Answer, Row } from '../../query/rows.ts';
import { plural } from '../../trace/plural.ts';
import type { Unit } from '../../trace/view.ts';
import { formatBytes, formatCount, formatError, formatShare } from '../../wording/figures.ts';
import { nothingText } from '../../wording/rows.ts';
import type { Column } from './grid.tsx';

/** Why a list has no rows, and a way on where there is one. */
export function emptyText(answer: Pick<Answer<unknown>, 'nothing'>): string {
  const isWayOn = answer.nothing?.about === 'nothing';
  return `${nothingText(answer)}${isWayOn ? ' Take a filter away, or choose a longer stretch of time.' : ''}`;
}

/** "2.93 GiB" or "30": the figure in the unit asked for. */
export function figureText(unit: Unit, amount: { readonly bytes: number; readonly count: number }): string {
  return unit === 'bytes' ? formatBytes(amount.bytes) : formatCount(amount.count);
}

/** The exact figure, for what a pointer rests on: "3,145,728,720 bytes". */
export function exactText(unit: Unit, value: number): string {
  const whole = Math.round(value);
  return `${whole.toLocaleString('en-US')} ${plural(whole, unit === 'bytes' ? 'byte' : 'object')}`;
}

/** A share as a bar and, where `withText`, as a figure. */
export function Bar({ share, kind = '' }: { readonly share: number; readonly kind?: string }): JSX.Element {
  const width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return (
    <span class="bar" aria-hidden="true">
      <span class={kind === '' ? '' : `kind-${kind}`} style={{ width }} />
    </span>
  );
}

type Figures = Pick<Row, 'bytes' | 'count' | 'share' | 'error'>;

/** The columns that rows of every list begin with. `own` names the figure. */
export function figureColumns<R extends Figures>(answer: Pick<Answer, 'unit' | 'accuracy'>, own: string): Column<R>[] {
  const { unit, accuracy } = answer;
  return [
    {
      title: own,
      width: '5.6em',
      number: true,
      text: (row) => figureText(unit, row),
      value: (row) => row[unit],
      hint: (row) => exactText(unit, row[unit]),
    },
    shareColumn(),
    ...(accuracy === 'sampled' ? [errorColumn<R>()] : []),
  ];
}

function shareColumn<R extends Figures>(): Column<R> {
  return {
    title: 'Share',
    width: '7.5em',
    number: true,
    spare: 5,
    text: (row) => formatShare(row.share),
    value: (row) => row.share,
    cell: (row) => (
      <span class="share">
        <Bar share={row.share} />
        {formatShare(row.share)}
      </span>
    ),
  };
}

function errorColumn<R extends Figures>(): Column<R> {
  return {
    title: 'Error',
    width: '4.8em',
    number: true,
    spare: 4,
    text: (row) => (row.bytes === 0 && row.count === 0 ? '' : formatError(row.error)),
    value: (row) => row.error,
    hint: () => '95 % of the time the true figure lies within this',
  };
}
