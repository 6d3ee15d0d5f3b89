import { constants } from 'node:os';

/** In hexadecimal, bit n - 1 of signal n (proc(5), SigIgn): bin/memsurge tells it, for Node forgets it. */
const VARIABLE = 'MEMSURGE_IGNORED_SIGNALS';

const text = process.env[VARIABLE] ?? '';
// It is for us, not for the recorded program.
delete process.env[VARIABLE];

/** Numbers of the signals, of those that a shell knows, that were ignored when we were started: nohup and "&" in a script. */
export const IGNORED_SIGNALS: readonly number[] = numbersIn(Number.parseInt(text.slice(-8), 16) || 0);

/** Whether memsurge is to outlive its terminal. */
export const ignoresHangup = IGNORED_SIGNALS.includes(constants.signals.SIGHUP);

function numbersIn(mask: number): number[] {
  return Array.from({ length: 31 }, (_, i) => i + 1).filter((signal) => (mask >>> (signal - 1)) & 1);
}
