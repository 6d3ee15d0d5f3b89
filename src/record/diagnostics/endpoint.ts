import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { parseEnviron, parseStat, parseStatus } from '../../read/procfs/process.ts';
import { messageOf, TraceError } from '../../trace/errors.ts';
import { howToBeAllowed } from '../proc.ts';
import type { Connect } from './commands.ts';

/**
 * Where the diagnostics socket of a running process lies. The runtime makes `dotnet-diagnostic-{pid}-{key}-socket` in
 * its own TMPDIR (else /tmp), with its pid in its own pid namespace and the start time of /proc/PID/stat as key
 * (dotnet/runtime `src/native/eventpipe/ds-ipc-pal-socket.c`); on Windows it is a named pipe.
 *
 * @throws TraceError that says why there is none: vanished, not ours, diagnostics off.
 */
export async function findEndpoint(pid: number): Promise<string> {
  // Untested: memsurge records on Linux so far.
  if (process.platform === 'win32') return `\\\\.\\pipe\\dotnet-diagnostic-${pid}`;

  const target = await lookAt(pid);
  const folder = join(target.rootPrefix, target.environ.get('TMPDIR') || '/tmp');
  const names = await readdir(folder).catch(() => [] as string[]);
  const prefix = `dotnet-diagnostic-${target.innerPid}-`;
  const sockets = names.filter((name) => name.startsWith(prefix) && name.endsWith('-socket'));
  // A killed process leaves its socket behind, and its pid can be used again: only the key tells.
  const name = sockets.find((one) => one === `${prefix}${target.startTicks}-socket`);
  if (name !== undefined) return join(folder, name);
  throw new TraceError(whyNoEndpoint(pid, target.environ, folder));
}

/** The longest path of a Unix socket, bytes (unix(7)); Node cuts off what is longer. */
const LONGEST_SOCKET_PATH = 107;

/**
 * Opens connections to the diagnostics socket at `path`. One that is too long, of a process in a container or with a long
 * TMPDIR, is reached through a descriptor of its folder.
 */
export function endpointConnect(path: string): Connect {
  return () =>
    new Promise<Socket>((resolve, reject) => {
      const folder = Buffer.byteLength(path) > LONGEST_SOCKET_PATH ? openSync(dirname(path), 'r') : undefined;
      const socket = connect(folder === undefined ? path : `/proc/self/fd/${folder}/${basename(path)}`);
      // Node connects to a path at once.
      if (folder !== undefined) closeSync(folder);
      socket.once('connect', () => {
        socket.off('error', reject);
        // From here on the one who reads it learns of errors by 'close'.
        socket.on('error', () => socket.destroy());
        resolve(socket);
      });
      socket.once('error', reject);
    });
}

interface Target {
  readonly environ: Map<string, string>;
  readonly innerPid: number;
  readonly startTicks: string;
  /** What to put before a path of the process to reach it from here: empty, or /proc/PID/root. */
  readonly rootPrefix: string;
}

async function lookAt(pid: number): Promise<Target> {
  const proc = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8');
  const status = await proc('status').then(parseStatus, () => undefined);
  const stat = await proc('stat').then(parseStat, () => undefined);
  if (status === undefined || stat === undefined) {
    throw new TraceError(`there is no process ${pid}; "memsurge ps" lists the .NET processes`);
  }
  if (stat.state === 'Z') {
    const isLeft = (await readdir(`/proc/${pid}/task`).catch(() => [])).length > 1;
    const why = isLeft ? "'s first thread has ended: nothing can attach to what is left of it" : ' has ended already';
    throw new TraceError(`process ${pid}${why}`);
  }
  try {
    const [environ, root, itsMounts, ourMounts] = await Promise.all([
      proc('environ'),
      readlink(`/proc/${pid}/root`),
      readlink(`/proc/${pid}/ns/mnt`),
      readlink('/proc/self/ns/mnt'),
    ]);
    return {
      environ: parseEnviron(environ),
      innerPid: status.namespacePids.at(-1) ?? pid,
      startTicks: stat.startTicks,
      rootPrefix: root === '/' && itsMounts === ourMounts ? '' : `/proc/${pid}/root`,
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') throw new TraceError(`process ${pid} has ended`);
    throw new TraceError(
      `no permission to look at process ${pid}, it belongs to user id ${status.uid}: ${howToBeAllowed()} (${messageOf(error)})`,
    );
  }
}

function whyNoEndpoint(pid: number, environ: Map<string, string>, folder: string): string {
  for (const name of ['EnableDiagnostics', 'EnableDiagnostics_IPC']) {
    for (const prefix of ['DOTNET_', 'COMPlus_']) {
      if (Number.parseInt(environ.get(prefix + name) ?? '1', 16) === 0) {
        return `process ${pid} was started with ${prefix}${name}=0, so nothing can attach; start it without that variable`;
      }
    }
  }
  return `process ${pid} has no diagnostics socket in ${folder}: it is still starting, or a cleaner of old files removed it; try again, or restart the process`;
}
