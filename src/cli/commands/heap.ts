import { Command } from 'commander';
import { type GcRow, type GenerationRow, type HeapAnswer, heap } from '../../query/heap.ts';
import { HEAP_LABELS } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import { formatBytes, formatTime, knownBytes, UNKNOWN } from '../../wording/figures.ts';
import { isUnrecorded, NO_COLLECTION, nothingText } from '../../wording/rows.ts';
import { addHelp, NAME_HELP } from '../help.ts';
import { printAnswerWarnings, printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { type Column, formatTable } from '../table.ts';
import { wrap } from '../terminal.ts';
import { addHeapOptions, type Opened, openView, type ViewOptions } from '../view-options.ts';

const EXPLANATION =
  'Size is in use plus free; promoted survived the collection; committed is what the OS gave the GC, with free and bookkeeping.';
const DEFAULT_GCS = 10;
const FEWEST_GCS = 3;
/** From this width on the list has a column per generation. */
const WIDTH_FOR_GENERATIONS = 120;

export function heapCommand(shell: Shell): Command {
  const command = new Command('heap')
    .summary('show the GC heap by generation over the collections')
    .description('The GC heap by generation over the collections: committed, in use, free and promoted.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace');
  addHeapOptions(command, `collections listed, from ${FEWEST_GCS} on (default ${DEFAULT_GCS}; all with --json)`).action(
    async (path: string, options: ViewOptions) => {
      const opened = await openView(shell, path, options);
      const { trace, view } = opened;
      const limit = options.limit ?? (options.json ? undefined : DEFAULT_GCS);
      const answer = heap(trace, view, limit === undefined ? undefined : Math.max(FEWEST_GCS, limit));
      if (options.json) printJson(shell, answer);
      else printHeap(shell, answer, opened);
    },
  );
  return addHelp(
    command,
    shell,
    [NAME_HELP, 'Other filters there are none: collections know no types, threads and functions.'],
    ['memsurge heap app.memsurge', 'memsurge heap app.memsurge --limit 50 --from 0.5s'],
  );
}

function printHeap(shell: Shell, answer: HeapAnswer, opened: Opened): void {
  const last = answer.gcs.at(-1);
  if (isUnrecorded(answer)) {
    shell.out(wrap(nothingText(answer, NO_COLLECTION), shell.width));
  }
  if (last !== undefined) {
    const processes = new Set(answer.gcs.map((gc) => gc.process)).size;
    const what =
      processes > 1
        ? `GC heaps of ${processes} processes, each after its last collection`
        : `GC heap of ${last.process} after collection ${last.number} (gen${last.depth}, ${last.type}), at ${formatTime(last.end)}`;
    const tables = [
      formatGenerations(shell, answer, processes === 1 ? last : undefined),
      formatGcs(shell, answer.gcs, processes > 1),
    ];
    const hasUnknown = tables.some((table) => table.includes(UNKNOWN));
    const listed = `${answer.gcs.length} of ${answer.gcCount} ${plural(answer.gcCount, 'collection')}`;
    const explanation = wrap(`${EXPLANATION}${hasUnknown ? ` ${UNKNOWN} is not known.` : ''}`, shell.width);
    shell.out([wrap(what, shell.width), tables[0], listed, tables[1], shell.colors.dim(explanation)].join('\n\n'));
  }
  printAnswerWarnings(shell, answer.warnings, opened);
}

const GENERATION_LABELS = { gen0: 'gen0', gen1: 'gen1', gen2: 'gen2', loh: HEAP_LABELS.loh, poh: HEAP_LABELS.poh };

function formatGenerations(shell: Shell, answer: HeapAnswer, last: GcRow | undefined): string {
  const total = (text: string, at: number) => (at === answer.rows.length ? shell.colors.bold(text) : text);
  const figures = (
    title: string,
    spare: number | undefined,
    pick: (row: HeapAnswer['all']) => number | null,
  ): Column[] =>
    bytesColumn(title, [...answer.rows, answer.all].map(pick), spare).map((column) => ({ ...column, style: total }));
  const names = [...answer.rows.map((row) => GENERATION_LABELS[row.name]), 'all'];
  const table = formatTable(
    [
      { title: 'Generation', cells: names, style: total, flexible: true },
      ...figures('Size', undefined, (row) => row.bytes),
      ...figures('In use', 3, (row) => row.inUse),
      ...figures('Free', 2, (row) => row.free),
      ...figures('Promoted', 1, (row) => row.promoted),
    ],
    shell.width,
    shell.colors.bold,
  );
  if (last === undefined || last.committed === null) return table;
  const parts = [
    ...(last.committedFree === null ? [] : [`${formatBytes(last.committedFree)} of it free`]),
    ...(last.bookkeeping === null ? [] : [`${formatBytes(last.bookkeeping)} bookkeeping`]),
  ];
  return `${table}\n\n${wrap([`Committed ${formatBytes(last.committed)}`, ...parts].join(', '), shell.width)}`;
}

function formatGcs(shell: Shell, gcs: readonly GcRow[], byProcess: boolean): string {
  const right = (title: string, text: (gc: GcRow) => string, spare?: number): Column => ({
    title,
    align: 'right',
    cells: gcs.map(text),
    ...(spare !== undefined && { spare }),
  });
  const size = (title: string, name: GenerationRow['name']) =>
    bytesColumn(
      title,
      gcs.map((gc) => gc.generations.find((row) => row.name === name)?.bytes ?? null),
    );
  const figures = (title: string, spare: number | undefined, pick: (gc: GcRow) => number | null) =>
    bytesColumn(title, gcs.map(pick), spare);
  const wide = shell.width >= WIDTH_FOR_GENERATIONS;
  return formatTable(
    [
      right('GC', (gc) => String(gc.number)),
      right('At', (gc) => formatTime(gc.end)),
      right('Depth', (gc) => `gen${gc.depth}`, 3),
      right('Pause', (gc) => formatTime(gc.pause), 4),
      ...(wide
        ? [
            ...size('gen0', 'gen0'),
            ...size('gen1', 'gen1'),
            ...size('gen2', 'gen2'),
            ...size('LOH', 'loh'),
            ...size('POH', 'poh'),
          ]
        : []),
      ...figures('In use', undefined, (gc) => gc.inUse),
      ...figures('Free', 2, (gc) => gc.free),
      ...figures('Committed', 5, (gc) => gc.committed),
      { title: 'Reason', cells: gcs.map((gc) => `${gc.reason}, ${gc.type}`), flexible: true, spare: 6 },
      ...(byProcess ? [{ title: 'Process', cells: gcs.map((gc) => gc.process), flexible: true }] : []),
    ],
    shell.width,
    shell.colors.bold,
  );
}

/** Where nothing of it is known there is no such column. */
function bytesColumn(title: string, values: readonly (number | null)[], spare?: number): Column[] {
  if (values.every((value) => value === null)) return [];
  return [{ title, align: 'right', cells: values.map(knownBytes), ...(spare !== undefined && { spare }) }];
}
