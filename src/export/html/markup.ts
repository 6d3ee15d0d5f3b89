import { printableLines } from '../../trace/printable.ts';

const MARKUP = Symbol('markup');

/** A piece of a page. Only {@link html} and {@link trusted} make one, so text from a trace can never pass for markup. */
export interface Html {
  readonly [MARKUP]: string;
}

/** What a template may hold: text and numbers are escaped, lists are joined, `false` and `undefined` leave nothing. */
type Part = Html | string | number | false | undefined | readonly Part[];

/** A piece of a page, with everything in it escaped that is not such a piece. Attributes must be in double quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return trusted(texts.map((text, i) => (i === 0 ? text : markupOf(parts[i - 1]) + text)).join(''));
}

/** Markup of our own making as it is. Never of anything that a trace says. */
export function trusted(markup: string): Html {
  return { [MARKUP]: markup };
}

/** What is written to the file. */
export function markupOf(part: Part): string {
  if (part === false || part === undefined) return '';
  if (typeof part === 'string') return escaped(part);
  if (typeof part === 'number') return String(part);
  return MARKUP in part ? part[MARKUP] : part.map(markupOf).join('');
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function escaped(text: string): string {
  return printableLines(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

/** `text` cut in the middle to `most` characters: names may be of any length, a page may not. */
export function clipped(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = (most - 1) >> 1;
  return `${text.slice(0, half)}…${text.slice(text.length - half)}`;
}
