import { readFileSync } from 'node:fs';
import { printable } from '../trace/printable.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Who wrote a trace, as its manifest says it. */
export const TOOL = `memsurge ${version}`;

/** One line to the user, beside whatever the recorded program prints; it takes the place of the live line. */
export function say(text: string): void {
  process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}memsurge: ${printable(text)}\n`);
}
