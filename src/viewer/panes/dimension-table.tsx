import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Answer, Row } from '../../query/rows.ts';
import { formatBytes } from '../../wording/figures.ts';
import { besideText, rowName } from '../../wording/rows.ts';
import { useAnswer } from '../answers.ts';
import { changeView, view } from '../place.ts';
import { emptyText, exactText, figureColumns } from '../widgets/figures.tsx';
import { type Column, Grid } from '../widgets/grid.tsx';
import { Refusal } from '../widgets/refusal.tsx';
import { TypeName } from '../widgets/type-name.tsx';

const search = { type: signal(''), thread: signal('') };
const selected = { type: signal(''), thread: signal('') };
const TITLES = { type: 'Type', thread: 'Thread' };
const FILTERS = { type: 'types', thread: 'threads' } as const;
const ROWS = 500;

/** All types, or all threads, of the view. Enter narrows to one. */
export function DimensionTable({ by }: { readonly by: 'type' | 'thread' }): JSX.Element {
  const asked = useAnswer('top', () => ({ view: view.value, by, limit: ROWS, search: search[by].value }));
  const { answer, error, waiting } = asked.value;
  if (error !== undefined) return <Refusal text={error} />;
  return (
    <Grid
      label={`${by}s`}
      columns={answer === undefined ? [] : columnsOf(answer, by)}
      rows={(answer?.rows ?? []).map((row) => ({
        key: row.other ? '' : row.name,
        row,
        ...(row.other && { muted: true }),
      }))}
      selected={selected[by].value}
      onSelect={(_, key) => {
        selected[by].value = key;
      }}
      onOpen={(row) => !row.other && !row.name.startsWith('[') && changeView({ [FILTERS[by]]: [row.name] })}
      empty={waiting || answer === undefined ? 'Adding up …' : emptyText(answer)}
      search={{
        value: search[by].value,
        onChange: (text) => {
          search[by].value = text;
        },
      }}
    >
      <span class="dim">Enter or double click filters by a row</span>
    </Grid>
  );
}

function columnsOf(answer: Answer, by: 'type' | 'thread'): Column<Row>[] {
  const other = answer.unit === 'bytes' ? 'count' : 'bytes';
  const average = (row: Row) => (row.count === 0 ? null : row.bytes / row.count);
  return [
    ...figureColumns<Row>(answer, answer.unit === 'bytes' ? 'Bytes' : 'Objects'),
    {
      title: other === 'count' ? 'Objects' : 'Bytes',
      width: '6em',
      number: true,
      spare: 2,
      text: (row) => besideText(answer, row),
      value: (row) => row[other],
      hint: (row) => exactText(other, row[other]),
    },
    {
      title: 'Average',
      width: '6em',
      number: true,
      spare: 1,
      text: (row) => (average(row) === null ? '' : formatBytes(average(row)!)),
      value: average,
      hint: () => 'bytes of one object',
    },
    {
      title: TITLES[by],
      width: '1fr',
      text: (row) => rowName(row, by),
      ...(by === 'type' && { cell: (row: Row) => <TypeName name={rowName(row, by)} /> }),
    },
  ];
}
