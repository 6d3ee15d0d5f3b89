import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { GcRow, GenerationRow } from '../../query/heap.ts';
import { formatTime, knownBytes } from '../../wording/figures.ts';
import { NO_COLLECTION, nothingText } from '../../wording/rows.ts';
import { useAnswer } from '../answers.ts';
import { view } from '../place.ts';
import { exactText } from '../widgets/figures.tsx';
import { type Column, Grid } from '../widgets/grid.tsx';
import { Refusal } from '../widgets/refusal.tsx';

const GCS = 500;
const selected = signal('');

/** The GC heap by generation after the last collection, and the collections. */
export function Heap(): JSX.Element {
  const asked = useAnswer('heap', () => ({ view: view.value, limit: GCS }));
  const { answer, error, waiting } = asked.value;
  if (error !== undefined) return <Refusal text={error} />;
  if (answer === undefined) return <p class="empty">{waiting ? 'Adding up …' : ''}</p>;
  if (answer.gcCount === 0) {
    const hasRange = view.value.from > 0 || view.value.to < Number.POSITIVE_INFINITY;
    return (
      <p class="empty">
        {nothingText(answer, NO_COLLECTION)}
        {hasRange && ' Choose a longer stretch of time.'}
      </p>
    );
  }
  const left = answer.gcCount - answer.gcs.length;
  return (
    <div class="two">
      <section class="short">
        <h2>GC heap after the last collection, by generation</h2>
        <Grid
          label="generations"
          columns={knownColumns(GENERATION_COLUMNS, answer.rows)}
          rows={answer.rows.map((row) => ({ key: row.name, row }))}
          selected={selected.value}
          onSelect={(_, key) => {
            selected.value = key;
          }}
          empty=""
        />
      </section>
      <section>
        <h2>
          Garbage collections
          {left > 0 && `: ${answer.gcs.length} of ${answer.gcCount}, the first, the largest and the last among them`}
        </h2>
        <Grid
          label="garbage collections"
          columns={knownColumns(GC_COLUMNS, answer.gcs)}
          rows={answer.gcs.map((row, i) => ({ key: `gc ${i}`, row }))}
          selected={selected.value}
          onSelect={(_, key) => {
            selected.value = key;
          }}
          empty=""
        />
      </section>
    </div>
  );
}

function bytesColumn<R>(title: string, value: (row: R) => number | null, spare?: number): Column<R> {
  return {
    title,
    width: '6.5em',
    number: true,
    text: (row) => knownBytes(value(row)),
    value,
    ...(spare !== undefined && { spare }),
    hint: (row) => (value(row) === null ? 'the trace does not say' : exactText('bytes', value(row)!)),
  };
}

/** Without those of which nothing is known. */
function knownColumns<R>(columns: readonly Column<R>[], rows: readonly R[]): Column<R>[] {
  return columns.filter(({ value }) => value === undefined || rows.some((row) => value(row) !== null));
}

const GENERATION_COLUMNS: Column<GenerationRow>[] = [
  { title: 'Generation', width: '8em', text: (row) => row.name },
  bytesColumn('Size', (row) => row.bytes),
  bytesColumn('In use', (row) => row.inUse),
  bytesColumn('Free', (row) => row.free),
  bytesColumn('Promoted', (row) => row.promoted),
];

const GC_COLUMNS: Column<GcRow>[] = [
  { title: 'GC', width: '4em', number: true, text: (row) => String(row.number), value: (row) => row.number },
  { title: 'End', width: '6em', number: true, text: (row) => formatTime(row.end), value: (row) => row.end },
  { title: 'Gen', width: '3em', number: true, text: (row) => String(row.depth), value: (row) => row.depth },
  { title: 'Type', width: '7em', spare: 3, text: (row) => row.type },
  {
    title: 'Pause',
    width: '6em',
    number: true,
    spare: 4,
    text: (row) => formatTime(row.pause),
    value: (row) => row.pause,
  },
  bytesColumn('In use', (row) => row.inUse),
  bytesColumn('Free', (row) => row.free, 2),
  bytesColumn('Promoted', (row) => row.promoted, 1),
  bytesColumn('Committed', (row) => row.committed, 5),
  { title: 'Reason', width: '2fr', text: (row) => row.reason },
  { title: 'Process', width: '1fr', text: (row) => row.process },
];
