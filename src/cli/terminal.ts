import { printable } from '../trace/printable.ts';

/** `text` cut in the middle to `width` characters. */
export function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  if (width < 2) return '…'.slice(0, width);
  const tail = Math.ceil((width - 1) / 2);
  return `${text.slice(0, width - 1 - tail)}…${text.slice(text.length - tail)}`;
}

/** `text` cut at its end to `width` characters. */
export function cutEnd(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of at most `width` characters for a share of 0–1. */
export function shareBar(share: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

const LEVELS = '▁▂▃▄▅▆▇█';

/** One character per value, scaled to the largest; a space where there is nothing. */
export function sparkline(values: readonly (number | null)[]): string {
  const largest = Math.max(0, ...values.map((value) => value ?? 0));
  return values
    .map((value) => {
      if (value === null || value <= 0) return ' ';
      return LEVELS[Math.round((value / largest) * (LEVELS.length - 1))];
    })
    .join('');
}

/** The unit after a figure, or a dot between parts: neither begins a line. */
const BOUND = /(?<=\d) (?=(?:[KMGT]iB|B|ns|µs|ms|s|min|[kMGT]|%)(?![\w]))| (?=·( |$))/g;
const BOUND_SPACE = '\u00a0';

/**
 * `text` broken between words into lines of at most `width` characters, the first and the others indented so far. Figures
 * stay with their units.
 */
export function wrap(text: string, width: number, first = '', others = first): string {
  const lines: string[] = [];
  const [head, ...words] = printable(text)
    .replace(BOUND, BOUND_SPACE)
    .split(' ')
    .map((word) => word.replaceAll(BOUND_SPACE, ' '));
  let line = first + head;
  for (const word of words) {
    if (line.length + 1 + word.length > width) {
      lines.push(line);
      line = others + word;
    } else {
      line += ` ${word}`;
    }
  }
  return [...lines, line].join('\n');
}
