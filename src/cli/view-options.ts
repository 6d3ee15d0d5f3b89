import { type Command, InvalidArgumentError, Option } from 'commander';
import { lastMoment } from '../query/moments.ts';
import { metricOfKinds, viewOf } from '../query/parts.ts';
import { TraceError } from '../trace/errors.ts';
import { HEAPS, KINDS, RECORDED_KINDS } from '../trace/kinds.ts';
import { shellWord } from '../trace/shell-word.ts';
import type { Trace } from '../trace/tables.ts';
import { type AskedView, DEFAULT_VIEW, METRICS, UNITS, type View } from '../trace/view.ts';
import { formatTime } from '../wording/figures.ts';
import { DEFAULT_METRIC_MEANS } from '../wording/view.ts';
import type { Shell } from './shell.ts';

/** What the flags of a reading command parse to; a flag that was not given, or that the command does not have, is absent. */
export interface ViewOptions {
  readonly kind?: View['kinds'];
  readonly heap?: View['heaps'];
  readonly type?: readonly string[];
  readonly thread?: readonly string[];
  readonly module?: readonly string[];
  readonly function?: readonly string[];
  readonly process?: readonly string[];
  readonly from?: number;
  readonly to?: number;
  readonly metric?: View['metric'];
  readonly unit?: View['unit'];
  readonly hideSystem?: true;
  readonly limit?: number;
  readonly json?: true;
}

/**
 * The View as flags, for questions about allocations; `limit` says what --limit bounds. Without `foldsSystem` the command
 * has no --hide-system: its answer would be the same.
 */
export function addViewOptions(command: Command, limit: string, foldsSystem: 'foldsSystem' | false): Command {
  command
    .addOption(oneOf('--kind <kind>', 'only this kind of memory', KINDS, RECORDED_KINDS, KIND_NOTE))
    .addOption(oneOf('--heap <heap>', 'only this GC heap', HEAPS))
    .addOption(texts('--type <name>', 'only objects of this type'))
    .addOption(texts('--thread <name>', 'only this thread, by name or number'))
    .addOption(texts('--module <name>', 'only stacks that hold this module'))
    .addOption(texts('--function <name>', 'only stacks that hold this function'));
  addPlaceOptions(command)
    .addOption(
      new Option('--metric <metric>', `what is counted, see below (default: ${DEFAULT_METRIC_MEANS})`).argParser(
        parseMetric,
      ),
    )
    .addOption(
      new Option('--unit <unit>', `what is measured: ${UNITS.join(', ')} (default: bytes)`).argParser(parseUnit),
    );
  if (foldsSystem) {
    command.option(
      '--hide-system',
      'fold code of the runtime, its framework and libraries of the languages into the user function that called it',
    );
  }
  return addOutputOptions(command, limit);
}

/** The flags of questions about what collections say, which know no types, threads and functions. */
export function addHeapOptions(command: Command, limit: string): Command {
  return addOutputOptions(addPlaceOptions(command), limit);
}

function addPlaceOptions(command: Command): Command {
  return command
    .addOption(texts('--process <name>', 'only this process, by name or pid'))
    .addOption(time('--from <time>', 'from this moment of the recording, for example 2.5s'))
    .addOption(time('--to <time>', 'up to this moment, for example 300ms'));
}

function addOutputOptions(command: Command, limit: string): Command {
  return command
    .addOption(new Option('--limit <n>', limit).argParser(parseLimit))
    .option('--json', 'print one JSON object with exact figures');
}

/** A trace, and what of it is asked about. */
export interface Opened {
  readonly path: string;
  readonly trace: Trace;
  readonly view: View;
}

/**
 * The trace at `path` and the view that the flags make of it.
 * @throws TraceError when the flags make no view, or there is no readable trace.
 */
export async function openView(shell: Shell, path: string, options: ViewOptions): Promise<Opened> {
  const asked = viewFrom(options);
  const trace = await shell.open(path);
  const end = lastMoment(trace);
  if (asked.from > end) {
    throw new TraceError(
      `--from ${formatTime(asked.from)} is after the end of the recording, which is at ${formatTime(end)}`,
    );
  }
  return { path, trace, view: viewOf(trace, asked) };
}

function viewFrom(options: ViewOptions): AskedView {
  const { from = DEFAULT_VIEW.from, to = DEFAULT_VIEW.to } = options;
  if (from > to) throw new TraceError('--from is later than --to, so no time is left between them');
  return {
    processes: options.process ?? [],
    from,
    to,
    kinds: options.kind ?? [],
    heaps: options.heap ?? [],
    types: options.type ?? [],
    threads: options.thread ?? [],
    modules: options.module ?? [],
    functions: options.function ?? [],
    hideSystem: options.hideSystem ?? false,
    unit: options.unit ?? DEFAULT_VIEW.unit,
    ...(options.metric !== undefined && { metric: options.metric }),
  };
}

const list = (flag: string, values: readonly string[]) => values.map((value) => `${flag} ${shellWord(value)}`);
const range = ({ from, to }: View) => [
  ...(from > 0 ? [`--from ${timeFlag(from)}`] : []),
  ...(to < Number.POSITIVE_INFINITY ? [`--to ${timeFlag(to)}`] : []),
];

/** The flags of processes and time alone. */
export function placeFlags(view: View): string {
  return [...list('--process', view.processes), ...range(view)].join(' ');
}

/** Folders where source may lie that was moved, and whose files are shown whatever they hold: of others only what is the same still. */
export function sourceRootOption(): Option {
  return texts(
    '--source-root <dir>',
    'look for source below this folder too, by the end of its path, and show it even where it may have changed',
  );
}

/** The flags that make `view`, ready to paste into a shell. */
export function viewFlags(view: View): string {
  return [
    ...list('--process', view.processes),
    ...list('--kind', view.kinds),
    ...list('--heap', view.heaps),
    ...list('--type', view.types),
    ...list('--thread', view.threads),
    ...list('--module', view.modules),
    ...list('--function', view.functions),
    ...range(view),
    // Without a kind the default depends on the trace.
    ...(view.kinds.length > 0 && view.metric === metricOfKinds(view.kinds) ? [] : [`--metric ${view.metric}`]),
    ...(view.unit === DEFAULT_VIEW.unit ? [] : [`--unit ${view.unit}`]),
    ...(view.hideSystem ? ['--hide-system'] : []),
  ].join(' ');
}

function texts(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: readonly string[] = []) => {
    // As a variable of the shell that is not set; taken as it is, it would fit everything.
    if (text === '') throw new InvalidArgumentError('Give a name, or a part of one.');
    return [...before, text];
  });
}

/** Ends the list of kinds of memory, whose last is not known by its name alone. */
const KIND_NOTE = ' (what the .NET runtime maps for itself)';

/** Of what is allowed only `told` is listed: other kinds of memory are never recorded, which their answer says. */
function oneOf(flags: string, description: string, allowed: readonly string[], told = allowed, note = ''): Option {
  const parse = parseOneOf(allowed, told);
  return new Option(flags, `${description}: ${told.join(', ')}${note}`).argParser(
    (text: string, before: readonly string[] = []) => [...before, parse(text)],
  );
}

function parseOneOf<T extends string>(allowed: readonly T[], told: readonly T[] = allowed): (text: string) => T {
  return (text) => {
    if (!(allowed as readonly string[]).includes(text)) {
      throw new InvalidArgumentError(`Allowed: ${told.join(', ')}.`);
    }
    return text as T;
  };
}

const parseMetric = parseOneOf(METRICS);
const parseUnit = parseOneOf(UNITS);

function time(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseTime);
}

const NS_PER = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

/** `ns` as a flag takes it, in the largest unit that says exactly this. */
function timeFlag(ns: number): string {
  const texts = (['s', 'ms', 'us'] as const).map((unit) => `${ns / NS_PER[unit]}${unit}`);
  return texts.find((text) => TIME.test(text) && parseTime(text) === ns) ?? `${ns}ns`;
}

const TIME = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|min|m|h)$/;

/** "2.5s", "300ms", "2m" in ns. */
function parseTime(text: string): number {
  const match = TIME.exec(text);
  if (!match) throw new InvalidArgumentError('Give a number with its unit, for example 2.5s, 300ms or 2m.');
  return Number(match[1]) * NS_PER[match[2] as keyof typeof NS_PER];
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return Number(text);
}
