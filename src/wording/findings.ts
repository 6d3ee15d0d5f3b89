import type { NativeFinding, PeakFinding } from '../query/native-findings.ts';
import type {
  AllocatedFinding,
  Finding,
  HeapFinding,
  ReportAnswer,
  ResidentFinding,
  ShareFinding,
} from '../query/report.ts';
import type { Amount, Row } from '../query/rows.ts';
import { GENERATIONS, type Generation, HEAP_LABELS, type Kind } from '../trace/kinds.ts';
import { plural } from '../trace/plural.ts';
import type { Dimension, Metric, Unit, View } from '../trace/view.ts';
import { formatBytes, formatCount, formatError, formatShare, formatTime } from './figures.ts';
import { accuracyText, amountText, beforeText, netText, residentText, rowName } from './rows.ts';

/** The report of a view without findings. */
export const NOTHING_GREW = 'Nothing grew in this view.';

/** A part of the report: a title and its sentences. */
export interface Section {
  readonly title: string;
  readonly statements: readonly Statement[];
  /** "and 3 more processes", where the limit cut. */
  readonly more?: string;
}

/** A piece of a statement; one with a row is that row's name, by which one can go on. */
export interface Piece {
  readonly text: string;
  readonly named?: { readonly dimension: Dimension; readonly row: Row };
}

export interface Statement {
  /** "Heap", "Type", … in front of a share, "Peak" in front of who held it. */
  readonly label?: string;
  readonly text: string;
  /** The text again, in pieces. */
  readonly pieces: readonly Piece[];
  /** What it is about, and for shares the dimension. */
  readonly about: Finding['about'];
  readonly dimension?: Dimension;
  /** The view that shows its figures again. */
  readonly view: View;
}

/** A report as sentences: how it grew, then who did it for each kind of memory; at most `processes` of each kind. */
export function sectionsOf(answers: readonly ReportAnswer[], processes: number): Section[] {
  const cut = (title: string, statements: readonly Statement[]): Section => ({
    title,
    statements: statements.slice(0, processes),
    ...(statements.length > processes && { more: moreText(statements.length - processes) }),
  });
  const who = (answer: ReportAnswer): Section => {
    const native = cut('', findingsOf(answer, 'native').map(say(nativeText)));
    const shares = findingsOf(answer, 'share');
    return {
      ...native,
      title: whoTitle(answer.view),
      statements: [
        ...native.statements,
        ...findingsOf(answer, 'peak').slice(0, processes).map(say(peakText)),
        ...findingsOf(answer, 'allocated').map(say((finding) => allocatedText(finding, answer, shares.length > 0))),
        ...shares.map(say(shareText)),
      ],
    };
  };
  return [
    cut('How it grew', findingsOf(answers[0], 'resident').map(say(residentSetText))),
    unrecorded(answers[0]),
    ...answers.flatMap((answer) => [
      who(answer),
      cut('What the GC says', findingsOf(answer, 'heap').map(say(heapText))),
    ]),
  ].filter(({ statements }) => statements.length > 0);
}

const moreText = (hidden: number) => `and ${hidden} more ${plural(hidden, 'process', 'processes')}`;

/** Reasons that are told; the page of the recording has all. */
const UNRECORDED = 5;

function unrecorded(answer: ReportAnswer): Section {
  const statements = findingsOf(answer, 'unrecorded').map(say(({ text }) => `${text}.`));
  const hidden = statements.length - UNRECORDED;
  return {
    title: 'What was not recorded',
    statements: statements.slice(0, UNRECORDED),
    ...(hidden > 0 && { more: `and ${hidden} more, see the warnings` }),
  };
}

/** ".NET memory", "Native heap": the memory a report speaks of. The peak is known of one kind alone. */
export function memoryTitle({ kinds, metric }: View): string {
  if (metric === 'peak') return KIND_TITLES['native-heap'] ?? '';
  return (kinds.length === 1 && KIND_TITLES[kinds[0]]) || 'Memory';
}

/** "Native heap: who allocated what was never released" */
export function whoTitle(view: View): string {
  const isCut = view.metric === 'unreleased' && hasEnd(view);
  const did = isCut ? `allocated what was not released by ${formatTime(view.to)}` : METRIC_TITLES[view.metric];
  return `${memoryTitle(view)}: who ${did}`;
}

/** False of a range up to the end of the recording; JSON has null for it. */
const hasEnd = ({ to }: View) => Number.isFinite(to);

/** The findings of one report about one thing. */
export function findingsOf<A extends Finding['about']>(
  answer: ReportAnswer,
  about: A,
): Extract<Finding, { about: A }>[] {
  return answer.findings.filter((finding): finding is Extract<Finding, { about: A }> => finding.about === about);
}

const say =
  <F extends Finding>(saying: (finding: F) => string | readonly Piece[]) =>
  (finding: F): Statement =>
    statementOf(finding, saying(finding));

function statementOf(finding: Finding, said: string | readonly Piece[]): Statement {
  const pieces = typeof said === 'string' ? [{ text: said }] : said;
  return {
    text: pieces.map(({ text }) => text).join(''),
    pieces,
    about: finding.about,
    ...(finding.about === 'share' && { label: STEP_TITLES[finding.dimension], dimension: finding.dimension }),
    ...(finding.about === 'peak' && { label: 'Peak' }),
    view: finding.view,
  };
}

const KIND_TITLES: Partial<Record<Kind, string>> = {
  'gc-heap': '.NET memory',
  'native-heap': 'Native heap',
  mapped: 'Mapped memory',
};
const METRIC_TITLES: Record<Metric, string> = {
  allocated: 'allocated',
  unreleased: 'allocated what was never released',
  temporary: 'allocated what was released again',
  live: 'allocated what is live',
  net: 'allocated more than was released',
  peak: 'held the peak',
};

function nativeText({
  process,
  last,
  peak,
  peakAt,
  allocated,
  accuracy,
  fleetingCount,
  resident,
  measured,
  before,
  view,
}: NativeFinding): string {
  const fleeting =
    fleetingCount === null || allocated.count === 0
      ? ''
      : `, ${formatShare(fleetingCount / allocated.count)} of them freed at once`;
  const residentBytes =
    resident === null ? '' : residentText({ bytes: last, residentBytes: resident, measuredBytes: measured ?? 0 });
  const inMemory = residentBytes === '' ? '' : ` (${residentBytes} of it in memory)`;
  const left = hasEnd(view)
    ? `${formatBytes(last)} of the native heap live at ${formatTime(view.to)}`
    : last >= 1
      ? `${formatBytes(last)} of the native heap never released${inMemory}`
      : `nothing of the native heap was left${accuracy === 'exact' ? '' : ', as far as it was sampled'}`;
  return (
    `${process}: ${left}${last >= 1 ? ',' : ';'} at most ${formatBytes(peak)} held at ` +
    `${formatTime(peakAt)}; ${amountText({ accuracy, total: allocated }, view.unit, 'requested', 'block')}${fleeting}.` +
    `${before === 0 ? '' : ` ${beforeText(before)}`}`
  );
}

/** "app (7) at its highest, at 5.83 s: Load 94.7 % (57.2 MiB, exact)" */
function peakText({ process, held, at, rows, accuracy, view }: PeakFinding): Piece[] {
  const what =
    process === undefined
      ? `${figureText(held, view.unit)} at ${formatTime(at)}, when the resident set was highest: `
      : `${process} at its highest, at ${formatTime(at)}: `;
  return [{ text: what }, ...rowsText('function', rows, { accuracy, view })];
}

function residentSetText({ process, first, peak, last, from, peakAt, to }: ResidentFinding): string {
  if (new Set([first, peak, last].map(formatBytes)).size === 1)
    return `${process}: resident set ${formatBytes(last)}${from === to ? ` at ${formatTime(to)}` : ' all the time'}.`;
  const course = `${process}: resident set ${last > first ? 'grew' : 'went'} from ${formatBytes(first)} at ${formatTime(from)}`;
  if (formatBytes(peak) === formatBytes(last))
    return `${course} to ${formatBytes(last)} at ${formatTime(to)}, its highest.`;
  return `${course} to ${formatBytes(last)} at ${formatTime(to)}; at most ${formatBytes(peak)} at ${formatTime(peakAt)}.`;
}

/** The total; the rows that follow, if there are any, are told as shares of it. */
function allocatedText({ total, rate, view }: AllocatedFinding, answer: ReportAnswer, hasRows: boolean): string {
  const cut = cutText(answer);
  if (view.metric === 'net') {
    return [
      `${figureText(total, view.unit)} net (${accuracyText(answer)}).${cut}`,
      netText({ ...answer, rows: [] }),
    ].join(' ');
  }
  const rows = hasRows ? ' Of these:' : '';
  if (view.metric !== 'allocated') {
    return `${figureText(total, view.unit)} ${view.metric} (${accuracyText(answer)}).${cut}${rows}`;
  }
  return `${amountText(answer, view.unit, view.metric, 'object')}, ${formatBytes(rate)}/s on average.${cut}${rows}`;
}

/** Who called what is in such a stack is known up to there only. */
function cutText({ cut }: ReportAnswer): string {
  if (cut === undefined) return '';
  return ` ${formatShare(cut.share)} of it has stacks that were cut at ${cut.limits.join(' or ')} frames: who called these is not known.`;
}

const STEP_TITLES: Record<Dimension, string> = {
  process: 'Process',
  kind: 'Kind',
  heap: 'Heap',
  type: 'Type',
  thread: 'Thread',
  module: 'Module',
  function: 'Function',
  line: 'Line',
};

function shareText({ dimension, rows, accuracy, view }: ShareFinding): Piece[] {
  return rowsText(dimension, rows, { accuracy, view });
}

/** "System.Byte[] 99.8 % (2.93 GiB, ±0.3 %)"; of a difference no part is told, for it can be more than the whole. */
function rowsText(
  dimension: Dimension,
  rows: readonly Row[],
  { accuracy, view }: Pick<ShareFinding, 'accuracy' | 'view'>,
): Piece[] {
  const figures = (row: Row) => {
    const error = accuracy === 'unknown' ? '' : `, ${row.error === null ? 'error ' : ''}${formatError(row.error)}`;
    const share = view.metric === 'net' ? '' : `${formatShare(row.share)} `;
    return ` ${share}(${figureText(row, view.unit)}${error})`;
  };
  const name = (row: Row): Piece => ({
    text: rowName(row, dimension),
    ...(isNamed(row) && { named: { dimension, row } }),
  });
  const ofFunction = (row: Row): Piece[] =>
    row.function === undefined
      ? []
      : [
          { text: ' in ' },
          { text: row.function, named: { dimension: 'function', row: { ...row, name: row.function } } },
        ];
  return worthTelling(rows).flatMap((row, i) => [
    ...(i === 0 ? [] : [{ text: '; ' }]),
    name(row),
    ...ofFunction(row),
    { text: figures(row) },
  ]);
}

/** Beside a row that holds the most, rows with less of the whole are not told. */
const TELLING = 0.1;
const MOST = 0.5;

/** Where one row holds the most of it, those that hold a good part; else the first few, which "other" makes the whole, without those that only call others. */
function worthTelling(rows: readonly Row[]): Row[] {
  const isNothing = (row: Row) => row.bytes === 0 && row.count === 0;
  if (rows.length === 0 || rows[0].share <= MOST) return rows.filter((row) => !isNothing(row));
  return rows.filter((row) => row.other !== true && row.share >= TELLING);
}

/** False for rows that stand for what has no name: "[no stack]", "other". */
const isNamed = (row: Row) => row.other !== true && !row.name.startsWith('[');

const figureText = ({ bytes, count }: Amount, unit: Unit) =>
  unit === 'bytes' ? formatBytes(bytes) : `${formatCount(count)} ${plural(count, 'object')}`;

function heapText(finding: HeapFinding): string {
  const { process, gcNumber, isLast, end, inUse, free, committed, generationInUse, resident, allocatedAfter } = finding;
  const held = inUse === null ? '' : `: ${formatBytes(inUse)} in use`;
  const where =
    generationInUse === null || inUse === null || inUse === 0
      ? ''
      : `, ${formatShare(generationInUse / inUse)} of it in ${generationName(finding.generation)}${everAllocatedText(finding)}`;
  const kept = free === null ? '' : `; ${formatBytes(free)} free`;
  const ofOs = committed === null ? '' : `; ${formatBytes(committed)} committed`;
  const beside = resident === null ? '' : `, resident set ${formatBytes(resident)}`;
  const later = allocatedAfter > 0 ? ` ${formatBytes(allocatedAfter)} were allocated after it.` : '';
  return `${process}, collection ${gcNumber}, the last${isLast ? '' : ' of which all is known'}, at ${formatTime(end)}${held}${where}${kept}${ofOs}${beside}.${later}`;
}

/** Objects grow old in a generation, but all small ones are allocated in the first. */
function everAllocatedText({ generation, allocatedBefore }: HeapFinding): string {
  // A trace without allocation events does not know.
  if (allocatedBefore === 0) return '';
  const bytes = formatBytes(allocatedBefore);
  const what = generation === 'loh' || generation === 'poh' ? `, where ${bytes}` : `; ${bytes} of small objects`;
  return `${what} had been allocated by then`;
}

function generationName(generation: Generation): string {
  if (generation === 'loh' || generation === 'poh') return `the ${HEAP_LABELS[generation]}`;
  return `generation ${GENERATIONS.indexOf(generation)}`;
}
