import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { StreamCapture } from '../../src/read/nettrace/capture.ts';
import { readNettrace } from '../../src/read/nettrace/index.ts';
import { openTraceFile, type TraceFile } from '../../src/trace/file.ts';
import { until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';

/** Opens the trace, or the folder that a recorder which was killed left. */
export async function openRecording(output: string): Promise<TraceFile> {
  return openTraceFile(output).catch(() => openTraceFile(`${output}.recording`));
}

/** The decoded streams of process number `index` of a recording, by the end of their names. */
export async function streamsOf(file: TraceFile, index = 0): Promise<Map<string, StreamCapture>> {
  const process = file.manifest.processes[index];
  const captures = new Map<string, StreamCapture>();
  for (const part of process.streams) {
    captures.set(
      part.slice(`streams/${process.id}`.length, -'.nettrace'.length),
      await readNettrace(file.stream(part)),
    );
  }
  return captures;
}

/** How many events of an id a stream holds. */
export const countOf = (capture: StreamCapture | undefined, id: number): number =>
  capture?.eventCounts.filter((event) => event.id === id).reduce((sum, event) => sum + event.count, 0) ?? 0;

/** Waits until the recording to `output`, which goes on, holds more than `count` events of an id in its main stream. */
export const untilRecorded = (output: string, id: number, count: number): Promise<void> =>
  until(() =>
    openRecording(output)
      .then(streamsOf)
      .then(
        (streams) => countOf(streams.get(''), id) > count,
        () => false, // not begun yet
      ),
  );

/** Names of the methods whose compiled code a stream tells of. */
export const compiledNames = (capture: StreamCapture | undefined): string[] =>
  capture?.processes.flatMap((process) => process.code.map((body) => body.name)) ?? [];

/** Pids of processes that have `text` in their command line. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

/** Why no mount and pid namespaces can be made here; undefined where they can. */
export function whyNoNamespaces(): string | undefined {
  const command = ['--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'none', '/mnt'];
  const { status, stderr, error } = spawnSync('unshare', command, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** What a shell in a mount namespace of its own does to get an empty /tmp, in which a clone that lies there can still be seen. */
export const OWN_TMP = `mount --bind "${ROOT}" /mnt && mount -t tmpfs none /tmp && mkdir -p "${ROOT}" && mount --bind /mnt "${ROOT}"`;

/** Puts before a command what makes it run as the user nobody; needs root. */
export const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** Whether this test may be somebody else, and somebody else may use what lies here: not in a clone below /root. */
export function nobodyMayUse(path: string): boolean {
  const [command, ...args] = [...AS_NOBODY, 'test', '-r', path];
  return spawnSync(command, args).status === 0;
}
