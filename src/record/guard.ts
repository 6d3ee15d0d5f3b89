import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fchmodSync, mkdirSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, TraceError } from '../trace/errors.ts';
import { say } from './say.ts';

/** The diagnostics port of a recording, guarded: whatever happens to us, nobody waits at it for ever. */
export interface GuardedPort {
  readonly server: Server;
  /** Where it lies: no other recording has the same. */
  readonly path: string;
  /** Value of DOTNET_DiagnosticPorts for the program we launch, and for what runtimes start themselves. */
  readonly launchValue: string;
  readonly childValue: string;
  /** Says that `pid` runs, and that its children will not wait. */
  settled(pid: number, startTicks: string): void;
  /** Ends the recording's side: from now on the guardian answers, for as long as it must, then removes the port. */
  release(): void;
}

/** The kernel's limit for the path of a Unix socket is 107 bytes. */
const LONGEST_FOLDER = 60;

/**
 * Opens the port, with the guardian started first, so that there is no moment at which somebody waits unguarded.
 * `inherited` is a DOTNET_DiagnosticPorts of the user, which keeps working beside ours.
 * @throws TraceError when there is no place for it.
 */
export async function openGuardedPort(inherited: string | undefined): Promise<GuardedPort> {
  const wanted = tmpdir();
  if (!existsSync(wanted)) say(`TMPDIR is ${wanted}, which does not exist: using /tmp`);
  const path = portPath(wanted);
  const guardian = keepGuardian(path);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    listenAt(server, path, resolve);
  }).catch((error) => {
    guardian.release();
    throw new TraceError(`cannot make a socket at ${path} (${messageOf(error)}); ${whatToDo()}`);
  });
  const rest = inherited ? `;${inherited}` : '';
  return {
    server,
    path,
    launchValue: `${path},suspend${rest}`,
    childValue: `${path},nosuspend${rest}`,
    settled: (pid, startTicks) => guardian.settled(pid, startTicks),
    release: () => guardian.release(),
  };
}

/**
 * Listens at `path`, in a folder of its own. The program may go on as another user (gosu, runuser), and one that could not
 * connect would wait for ever: so everybody may connect who knows the name, and nobody can list the folder. All of it by
 * the folder's descriptor: in a container others own what lies on the way, and could lead a name elsewhere meanwhile.
 * @throws Error when there is no place for it.
 */
export function listenAt(server: Server, path: string, listening: () => void): void {
  const folder = makeFolder(dirname(path));
  server.once('close', () => closeSync(folder));
  const inFolder = `/proc/self/fd/${folder}/${basename(path)}`;
  rmSync(inFolder, { force: true });
  // With rights for all from the start: to change those of a socket takes its path.
  const mask = process.umask(0);
  server.listen({ path: inFolder }, listening);
  process.umask(mask);
}

function makeFolder(path: string): number {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  fchmodSync(folder, 0o711);
  return folder;
}

/**
 * A second way to the port at `path` for a process in a container or behind chroot, that has the port in its environment
 * but not in its file system, and would wait for ever: a socket of the same path in its own. Undefined when it sees ours.
 */
export function listenInside(pid: number, path: string): { server: Server; remove(): void } | undefined {
  const inside = `/proc/${pid}/root${path}`;
  if (existsSync(inside) || !existsSync(`/proc/${pid}/root/`)) return undefined;
  const server = createServer();
  server.on('error', () => {}); // It has just ended, or is not ours to write into.
  try {
    // Without the place that ours has here, such as a TMPDIR of its own.
    mkdirSync(dirname(dirname(inside)), { recursive: true });
    listenAt(server, inside, () => {});
  } catch {
    return undefined;
  }
  return { server, remove: () => removePort(inside) };
}

/** Takes a port and its folder away, and nothing that somebody else has put there. */
export function removePort(path: string): void {
  try {
    rmSync(path, { force: true });
    rmdirSync(dirname(path));
  } catch {
    // It went with its container, or is not empty.
  }
}

/** A fresh path that nobody can guess; "," and ";" mean something in DOTNET_DiagnosticPorts. */
function portPath(wanted: string): string {
  const name = () => randomBytes(8).toString('hex');
  return join(canHoldSocket(wanted) && existsSync(wanted) ? wanted : '/tmp', `memsurge-${name()}`, name());
}

const canHoldSocket = (folder: string) => Buffer.byteLength(folder) <= LONGEST_FOLDER && !/[,;]/.test(folder);

function whatToDo(): string {
  if (canHoldSocket(tmpdir())) return 'set TMPDIR to a folder that can be written';
  return `TMPDIR cannot hold it, for it is longer than ${LONGEST_FOLDER} bytes or has "," or ";" in it: set it to another folder`;
}

/** A guardian that is started again if it dies before us. */
function keepGuardian(path: string): { settled(pid: number, startTicks: string): void; release(): void } {
  /** By pid: one that is used again is another process. */
  const told = new Map<number, string>();
  let released = false;
  let restarts = 3;
  let current = start();

  function start(): ChildProcess {
    const script = fileURLToPath(new URL(`./guardian${extname(import.meta.url)}`, import.meta.url));
    const { NODE_OPTIONS: _, DOTNET_DiagnosticPorts: __, ...env } = process.env;
    const child = spawn(process.execPath, [script, path], {
      cwd: '/',
      // Its own session: Ctrl-C and the end of the terminal are not for it.
      detached: true,
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    child.stdin?.on('error', () => {});
    child.on('error', () => {});
    child.on('exit', () => {
      if (released || restarts-- === 0) return;
      current = start();
      for (const line of told.values()) current.stdin?.write(line);
    });
    return child;
  }

  return {
    settled(pid, startTicks) {
      const line = `settled ${pid} ${startTicks}\n`;
      told.set(pid, line);
      current.stdin?.write(line);
    },
    release() {
      released = true;
      current.stdin?.end();
    },
  };
}
