import { constants } from 'node:os';

/** "SigIgn of proc(5) in hexadecimal,closed standard streams": bin/memsurge tells it, for Node forgets both. */
const VARIABLE = 'MEMSURGE_GIVEN';

const [ignored = '', closed = ''] = process.env[VARIABLE]?.split(',') ?? [];
// It is for us, not for the recorded program.
delete process.env[VARIABLE];

/** Numbers of the signals, of those that a shell knows, that were ignored when we were started: nohup and "&" in a script. */
export const IGNORED_SIGNALS: readonly number[] = numbersIn(Number.parseInt(ignored.slice(-8), 16) || 0);

/** Whether memsurge is to outlive its terminal. */
export const ignoresHangup = IGNORED_SIGNALS.includes(constants.signals.SIGHUP);

/** Of 0, 1 and 2 those that were closed when we were started. */
export const CLOSED_STREAMS: readonly number[] = [0, 1, 2].filter((fd) => closed.includes(String(fd)));

function numbersIn(mask: number): number[] {
  return Array.from({ length: 31 }, (_, i) => i + 1).filter((signal) => (mask >>> (signal - 1)) & 1);
}
