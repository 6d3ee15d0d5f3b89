import type { MappedImage } from '../../symbols/code.ts';
import { float64Column } from '../../trace/columns.ts';

/**
 * The parts `process/PID*.csv` of a recording, written and read. One row per line, no header; the last column is the
 * rest of the line. A recorder that was killed leaves a row half written: only rows that end with a newline count.
 */

/** `monotonic ns,bytes` */
export const rssRow = (time: number, bytes: number): string => `${time},${bytes}\n`;

/** `monotonic ns,base,end,path`; addresses in hex as in /proc/PID/maps, and a newline in the path as \012 as there. */
export const imageRow = (time: number, base: number, end: number, path: string): string =>
  `${time},${base.toString(16)},${end.toString(16)},${path}\n`;

/** `thread id,name`; a later row of a thread replaces the earlier. */
export const threadRow = (id: number, name: string): string => `${id},${name}\n`;

/** Told when a part has more rows than are read: how many are. */
type OnCut = (rows: number) => void;

/** Resident set over time: monotonic ns, bytes; ascending. */
export function parseRss(text: string, onCut?: OnCut): { readonly time: Float64Array; readonly value: Float64Array } {
  const time = float64Column();
  const value = float64Column();
  for (const [at, bytes] of rows(text, 2, MAX_POINTS, onCut)) {
    if (!isNumber(at) || !isNumber(bytes)) continue;
    time.push(Number(at));
    value.push(Number(bytes));
  }
  return { time: time.finish(), value: value.finish() };
}

export function parseImages(text: string, onCut?: OnCut): MappedImage[] {
  const images: MappedImage[] = [];
  for (const [at, base, end, path] of rows(text, 4, MAX_IMAGES, onCut)) {
    if (!isNumber(at) || !isHex(base) || !isHex(end) || path === '') continue;
    images.push({
      from: Number(at),
      base: Number.parseInt(base, 16),
      end: Number.parseInt(end, 16),
      path: path.replaceAll('\\012', '\n'),
    });
  }
  return images;
}

/** Names by OS thread id. */
export function parseThreadNames(text: string, onCut?: OnCut): Map<number, string> {
  const names = new Map<number, string>();
  for (const [id, name] of rows(text, 2, MAX_THREADS, onCut)) {
    if (isNumber(id)) names.set(Number(id), name);
  }
  return names;
}

const isNumber = (text: string) => /^\d+$/.test(text);
const isHex = (text: string) => /^[0-9a-f]+$/.test(text);

/** Rows of one part: more would take all memory, or for ever. */
const MAX_POINTS = 8_000_000;
const MAX_IMAGES = 1 << 16;
const MAX_THREADS = 500_000;

function* rows(text: string, columns: number, most: number, onCut: OnCut = () => {}): Generator<string[]> {
  let start = 0;
  let left = most;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    if (left-- === 0) return onCut(most);
    const cells: string[] = [];
    let at = start;
    while (cells.length < columns - 1) {
      const comma = text.indexOf(',', at);
      if (comma < 0 || comma > end) break;
      cells.push(text.slice(at, comma));
      at = comma + 1;
    }
    cells.push(text.slice(at, end));
    if (cells.length === columns) yield cells;
    start = end + 1;
  }
}
