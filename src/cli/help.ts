import type { Command } from 'commander';
import { METRICS } from '../trace/view.ts';
import { METRIC_MEANS } from '../wording/view.ts';
import type { Shell } from './shell.ts';
import { wrap } from './terminal.ts';

/** Longer lines are hard to read, and what is piped on may be read on a usual terminal. */
const WIDEST = 100;
const OF_PIPES = 80;

/** Columns of a help text. */
export function helpWidth({ width }: Shell): number {
  return Number.isFinite(width) ? Math.min(width, WIDEST) : OF_PIPES;
}

/** A paragraph, or what some words mean below a title. */
type Paragraph = string | { readonly title: string; readonly means: readonly (readonly [string, string])[] };

/** Ends the command's help with these paragraphs and examples, which stay whole lines to copy. */
export function addHelp(
  command: Command,
  shell: Shell,
  paragraphs: readonly Paragraph[],
  examples: readonly string[],
): Command {
  const width = helpWidth(shell);
  const listing = ['Examples:', ...examples.map((line) => `  ${line}`)].join('\n');
  const texts = [...paragraphs.map((paragraph) => paragraphText(paragraph, width)), listing];
  return command.addHelpText('after', `\n${texts.join('\n\n')}`);
}

function paragraphText(paragraph: Paragraph, width: number): string {
  if (typeof paragraph === 'string') return wrap(paragraph, width);
  const { title, means } = paragraph;
  const longest = Math.max(...means.map(([word]) => word.length));
  const lines = means.map(([word, text]) => wrap(text, width, `  ${word.padEnd(longest)}  `, ' '.repeat(longest + 4)));
  return [wrap(title, width), ...lines].join('\n');
}

/** What a name selects. */
export const NAME_HELP =
  'Filters can be given several times: values of one flag are alternatives, different flags narrow each other. A name ' +
  'selects what is called exactly so, else what a pattern with * matches, else what ends in that part, else what ' +
  'contains it.';

/** What the flags of every question about allocations mean. */
export const FILTER_HELP: readonly Paragraph[] = [
  NAME_HELP,
  {
    title: 'Metrics, of the range from --from to --to, which is the whole recording without them:',
    means: METRICS.map((metric) => [metric, METRIC_MEANS[metric]]),
  },
];
