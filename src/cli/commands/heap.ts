import { Command } from 'commander';
import { type GcRow, type GenerationRow, type HeapAnswer, heap } from '../../query/heap.ts';
import { HEAP_LABELS } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import { formatBytes, formatTime } from '../../wording/figures.ts';
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
    shell.out(
      processes > 1
        ? `GC heaps of ${processes} processes, each after its last collection`
        : `GC heap of ${last.process} after collection ${last.number} (gen${last.depth}, ${last.type}), at ${formatTime(last.end)}`,
    );
    shell.out('');
    shell.out(formatGenerations(shell, answer, processes === 1 ? last : undefined));
    shell.out('');
    shell.out(`${answer.gcs.length} of ${answer.gcCount} ${plural(answer.gcCount, 'collection')}`);
    shell.out('');
    shell.out(formatGcs(shell, answer.gcs, processes > 1));
    shell.out('');
    shell.out(shell.colors.dim(wrap(EXPLANATION, shell.width)));
  }
  printAnswerWarnings(shell, answer.warnings, opened);
}

const GENERATION_LABELS = { gen0: 'gen0', gen1: 'gen1', gen2: 'gen2', loh: HEAP_LABELS.loh, poh: HEAP_LABELS.poh };

function formatGenerations(shell: Shell, answer: HeapAnswer, last: GcRow | undefined): string {
  const sum = (pick: (row: GenerationRow) => number | null) =>
    answer.rows.reduce<number | null>(
      (total, row) => (pick(row) === null ? total : (total ?? 0) + (pick(row) ?? 0)),
      null,
    );
  const cells = (pick: (row: GenerationRow) => number | null) => [...answer.rows.map(pick), sum(pick)].map(bytes);
  const total = (text: string, at: number) => (at === answer.rows.length ? shell.colors.bold(text) : text);
  const table = formatTable(
    [
      { title: 'Generation', cells: [...answer.rows.map((row) => GENERATION_LABELS[row.name]), 'all'], style: total },
      { title: 'Size', align: 'right', cells: cells((row) => row.bytes), style: total },
      { title: 'In use', align: 'right', cells: cells((row) => row.inUse), style: total },
      { title: 'Free', align: 'right', cells: cells((row) => row.free), style: total },
      { title: 'Promoted', align: 'right', cells: cells((row) => row.promoted), style: total },
    ],
    shell.width,
    shell.colors.bold,
  );
  if (last === undefined || last.committed === null) return table;
  const parts = `${bytes(last.committedFree)} of it free, ${bytes(last.bookkeeping)} bookkeeping`;
  return `${table}\n\nCommitted ${bytes(last.committed)}, ${parts}`;
}

function formatGcs(shell: Shell, gcs: readonly GcRow[], byProcess: boolean): string {
  const right = (title: string, text: (gc: GcRow) => string): Column => ({
    title,
    align: 'right',
    cells: gcs.map(text),
  });
  const size = (gc: GcRow, name: GenerationRow['name']) =>
    bytes(gc.generations.find((row) => row.name === name)?.bytes ?? null);
  const wide = shell.width >= WIDTH_FOR_GENERATIONS;
  return formatTable(
    [
      right('GC', (gc) => String(gc.number)),
      right('At', (gc) => formatTime(gc.end)),
      right('Depth', (gc) => `gen${gc.depth}`),
      right('Pause', (gc) => formatTime(gc.pause)),
      ...(wide
        ? [
            right('gen0', (gc) => size(gc, 'gen0')),
            right('gen1', (gc) => size(gc, 'gen1')),
            right('gen2', (gc) => size(gc, 'gen2')),
            right('LOH', (gc) => size(gc, 'loh')),
            right('POH', (gc) => size(gc, 'poh')),
          ]
        : []),
      right('In use', (gc) => bytes(gc.inUse)),
      right('Free', (gc) => bytes(gc.free)),
      right('Committed', (gc) => bytes(gc.committed)),
      { title: 'Reason', cells: gcs.map((gc) => `${gc.reason}, ${gc.type}`), flexible: true },
      ...(byProcess ? [{ title: 'Process', cells: gcs.map((gc) => gc.process), flexible: true }] : []),
    ],
    shell.width,
    shell.colors.bold,
  );
}

function bytes(value: number | null): string {
  return value === null ? '?' : formatBytes(value);
}
