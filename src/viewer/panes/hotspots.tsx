import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useCallback } from 'preact/hooks';
import type { Answer, Row } from '../../query/rows.ts';
import { residentAgeText, residentText } from '../../wording/rows.ts';
import { ask, useAnswer } from '../answers.ts';
import { qualifiedRow } from '../functions.ts';
import { go, place, view } from '../place.ts';
import { emptyText, exactText, figureColumns, figureText } from '../widgets/figures.tsx';
import { FunctionName } from '../widgets/function-name.tsx';
import { type Column, Grid } from '../widgets/grid.tsx';
import { Refusal } from '../widgets/refusal.tsx';
import { TreeGrid } from '../widgets/tree-grid.tsx';

const LISTS = { plain: 'plain list', traces: 'back traces', lines: 'lines' } as const;
const list = signal<keyof typeof LISTS>('plain');
const search = signal('');
const order = signal<'own' | 'total'>('own');
const ROWS = 400;

/** The functions that allocated: as a plain list, with who called them, or line by line. */
export function Hotspots(): JSX.Element {
  switch (list.value) {
    case 'plain':
      return <PlainList by="function" />;
    case 'lines':
      return <PlainList by="line" />;
    case 'traces':
      return <BackTraces />;
  }
}

function ListSwitch(): JSX.Element {
  return (
    <span class="switch" role="group" aria-label="how hotspots are listed">
      {(Object.keys(LISTS) as (keyof typeof LISTS)[]).map((name) => (
        <button
          type="button"
          key={name}
          aria-pressed={list.value === name}
          onClick={() => {
            list.value = name;
          }}
        >
          {LISTS[name]}
        </button>
      ))}
    </span>
  );
}

function PlainList({ by }: { readonly by: 'function' | 'line' }): JSX.Element {
  const asked = useAnswer('top', () => ({
    view: view.value,
    by: list.value === 'lines' ? 'line' : 'function',
    limit: ROWS,
    search: search.value,
    ...(list.value === 'plain' && { order: order.value }),
  }));
  const { answer, error, waiting } = asked.value;
  if (error !== undefined) return <Refusal text={error} />;
  const rows = (answer?.rows ?? []).map((row) => ({ key: keyOf(row), row, ...(row.other && { muted: true }) }));
  return (
    <Grid
      label={by === 'line' ? 'lines' : 'functions'}
      columns={answer === undefined ? [] : columnsOf(answer, by)}
      rows={rows}
      selected={by === 'line' ? selectedLine.value : place.value.fn}
      onSelect={(row, key) => {
        selectedLine.value = key;
        go({ fn: qualifiedRow(row) }, 'replace');
      }}
      onOpen={(row) => qualifiedRow(row) !== '' && go({ fn: qualifiedRow(row), tab: 'callers' })}
      empty={waiting || answer === undefined ? 'Adding up …' : emptyText(answer)}
      search={{
        value: search.value,
        onChange: (text) => {
          search.value = text;
        },
      }}
    >
      <ListSwitch />
    </Grid>
  );
}

const selectedLine = signal('');

const keyOf = (row: Row): string =>
  row.line === undefined ? qualifiedRow(row) || row.name : `${row.file}:${row.line}`;

function columnsOf(answer: Answer, by: 'function' | 'line'): Column<Row>[] {
  const { unit } = answer;
  const other = unit === 'bytes' ? 'count' : 'bytes';
  const total = (row: Row) => ({ bytes: row.totalBytes ?? 0, count: row.totalCount ?? 0 });
  const [own, ...rest] = figureColumns<Row>(answer, 'Own');
  const resident = answer.rows.some(({ residentBytes }) => residentBytes !== undefined);
  return [
    { ...own, ...(by === 'function' && sorting('own')) },
    ...rest,
    ...(by === 'function'
      ? [
          {
            title: 'Total',
            width: '5.6em',
            number: true,
            spare: 3,
            text: (row: Row) => (row.totalBytes === undefined ? '' : figureText(unit, total(row))),
            value: (row: Row) => (row.totalBytes === undefined ? null : total(row)[unit]),
            hint: (row: Row) => exactText(unit, total(row)[unit]),
            ...sorting('total'),
          },
        ]
      : []),
    ...(resident
      ? [
          {
            title: 'Resident',
            width: '5.6em',
            number: true,
            spare: 2,
            text: residentText,
            value: (row: Row) => row.residentBytes,
            hint: () => residentAgeText(answer),
          },
        ]
      : []),
    {
      title: other === 'count' ? 'Objects' : 'Bytes',
      width: '5.5em',
      number: true,
      spare: 1,
      text: (row: Row) => figureText(other, row),
      value: (row: Row) => row[other],
      hint: (row: Row) => exactText(other, row[other]),
    },
    ...(by === 'function'
      ? [
          {
            title: 'Function',
            width: '1fr',
            text: (row: Row) => (row.other ? `other (${row.folded} more)` : row.name),
            cell: (row: Row) => <FunctionName row={row} />,
            hint: (row: Row) => [row.module, row.name].filter(Boolean).join('!'),
          },
        ]
      : [
          {
            title: 'Line',
            width: '14em',
            text: (row: Row) => `${row.other ? `other (${row.folded} more)` : row.name}${row.near ? ' (near)' : ''}`,
            hint: (row: Row) => row.file ?? row.name,
          },
          { title: 'Function', width: '1fr', text: (row: Row) => row.function ?? '' },
        ]),
  ];
}

function sorting(by: 'own' | 'total'): Pick<Column<Row>, 'onSort' | 'sorted'> {
  return {
    sorted: order.value === by,
    onSort: () => {
      order.value = by;
    },
  };
}

function BackTraces(): JSX.Element {
  const asked = useAnswer('tree', () => ({ view: view.value, direction: 'callers', limit: ROWS }));
  const more = useCallback(async (under: readonly number[]) => {
    const answer = await ask('tree', { view: view.peek(), direction: 'callers', under: under.join('.'), limit: ROWS });
    return answer.rows;
  }, []);
  return (
    <TreeGrid label="back traces" asked={asked} more={more} ownTitle="Roots">
      <ListSwitch />
    </TreeGrid>
  );
}
