import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Who wrote a trace, as its manifest says it. */
export const TOOL = `memsurge ${version}`;

/** One line to the user, beside whatever the recorded program prints. */
export function say(text: string): void {
  process.stderr.write(`memsurge: ${text}\n`);
}
