import { type Command, InvalidArgumentError, Option } from 'commander';
import { metricOfKinds, viewOf } from '../query/parts.ts';
import { TraceError } from '../trace/errors.ts';
import { HEAPS, KINDS } from '../trace/kinds.ts';
import type { Trace } from '../trace/tables.ts';
import { type AskedView, DEFAULT_VIEW, METRICS, UNITS, type View } from '../trace/view.ts';
import type { Shell } from './shell.ts';

/** What the flags of a reading command parse to. */
export interface ViewOptions {
  readonly kind: View['kinds'];
  readonly heap: View['heaps'];
  readonly type: readonly string[];
  readonly thread: readonly string[];
  readonly module: readonly string[];
  readonly function: readonly string[];
  readonly process: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly metric?: View['metric'];
  readonly unit: View['unit'];
  readonly hideSystem?: true;
  readonly limit?: number;
  readonly json?: true;
}

/** The View as flags: every reading command has the same. `limit` says what --limit bounds in this command. */
export function addViewOptions(command: Command, limit: string): Command {
  return command
    .addOption(oneOf('--kind <kind>', 'only this kind of memory', KINDS))
    .addOption(oneOf('--heap <heap>', 'only this GC heap', HEAPS))
    .addOption(texts('--type <name>', 'only objects of this type'))
    .addOption(texts('--thread <name>', 'only this thread, by name or number'))
    .addOption(texts('--module <name>', 'only stacks that hold this module'))
    .addOption(texts('--function <name>', 'only stacks that hold this function'))
    .addOption(texts('--process <name>', 'only this process, by name or pid'))
    .addOption(time('--from <time>', 'from this moment of the recording, for example 2.5s', DEFAULT_VIEW.from))
    .addOption(time('--to <time>', 'up to this moment, for example 300ms', DEFAULT_VIEW.to))
    .addOption(
      new Option(
        '--metric <metric>',
        'what is counted (default: unreleased for native memory, else allocated)',
      ).choices(METRICS),
    )
    .addOption(new Option('--unit <unit>', 'what is measured').choices(UNITS).default(DEFAULT_VIEW.unit))
    .option(
      '--hide-system',
      'fold code of the runtime, its framework and libraries of the languages into the user function that called it',
    )
    .addOption(new Option('--limit <n>', limit).argParser(parseLimit))
    .option('--json', 'print one JSON object with exact figures');
}

export const FILTER_HELP = `
Filters can be given several times: values of one flag are alternatives, different flags narrow each other.
A name selects what is called exactly so, else what a pattern with * matches, else what ends in that part, else what
contains it.`;

/**
 * The trace at `path` and the view that the flags make of it.
 * @throws TraceError when the flags make no view, or there is no readable trace.
 */
export async function openView(
  shell: Shell,
  path: string,
  options: ViewOptions,
): Promise<{ readonly trace: Trace; readonly view: View }> {
  const asked = viewFrom(options);
  const trace = await shell.open(path);
  return { trace, view: viewOf(trace, asked) };
}

function viewFrom(options: ViewOptions): AskedView {
  if (options.from > options.to) throw new TraceError('--from is later than --to, so no time is left between them');
  return {
    processes: options.process,
    from: options.from,
    to: options.to,
    kinds: options.kind,
    heaps: options.heap,
    types: options.type,
    threads: options.thread,
    modules: options.module,
    functions: options.function,
    hideSystem: options.hideSystem ?? false,
    unit: options.unit,
    ...(options.metric !== undefined && { metric: options.metric }),
  };
}

/** The flags that make `view`, ready to paste into a shell. */
export function viewFlags(view: View): string {
  const list = (flag: string, values: readonly string[]) => values.map((value) => `${flag} ${shellWord(value)}`);
  return [
    ...list('--process', view.processes),
    ...list('--kind', view.kinds),
    ...list('--heap', view.heaps),
    ...list('--type', view.types),
    ...list('--thread', view.threads),
    ...list('--module', view.modules),
    ...list('--function', view.functions),
    ...(view.from > 0 ? [`--from ${view.from}ns`] : []),
    ...(view.to < Number.POSITIVE_INFINITY ? [`--to ${view.to}ns`] : []),
    // Without a kind the default depends on the trace.
    ...(view.kinds.length > 0 && view.metric === metricOfKinds(view.kinds) ? [] : [`--metric ${view.metric}`]),
    ...(view.unit === DEFAULT_VIEW.unit ? [] : [`--unit ${view.unit}`]),
    ...(view.hideSystem ? ['--hide-system'] : []),
  ].join(' ');
}

/** `text` as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function texts(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((text: string, before: readonly string[]) => [...before, text])
    .default([], 'all');
}

function oneOf(flags: string, description: string, allowed: readonly string[]): Option {
  return new Option(flags, `${description} (${allowed.join(', ')})`)
    .argParser((text: string, before: readonly string[]) => {
      if (!allowed.includes(text)) throw new InvalidArgumentError(`Allowed: ${allowed.join(', ')}.`);
      return [...before, text];
    })
    .default([], 'all');
}

function time(flags: string, description: string, value: number): Option {
  return new Option(flags, description).argParser(parseTime).default(value, 'all');
}

const NS_PER = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

/** "2.5s", "300ms", "2m" in ns. */
function parseTime(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|min|m|h)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Give a number with its unit, for example 2.5s, 300ms or 2m.');
  return Number(match[1]) * NS_PER[match[2] as keyof typeof NS_PER];
}

function parseLimit(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return Number(text);
}
