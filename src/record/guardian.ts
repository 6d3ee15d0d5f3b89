import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { parseStat } from '../read/procfs/process.ts';
import { closeInherited, inheritedDescriptors } from './descriptors.ts';
import { resumeRuntime } from './diagnostics/commands.ts';
import { openReversePort } from './diagnostics/reverse-port.ts';
import { listenAt, listenInside, removePort } from './guard.ts';
import { allPids } from './proc.ts';

/**
 * The guardian: a process of its own, started before the target, that makes sure nothing ever waits for a recorder that
 * is gone. While the recorder lives it only waits for the end of its standard input, which the kernel closes however
 * the recorder dies. Then it takes over the diagnostics port, resumes every runtime that comes, stays until no process
 * is left that could start one that waits, removes the port and ends.
 *
 * Argument: path of the port. Standard input: a line `settled PID STARTTICKS` for each process that runs and whose
 * children will not wait, though its own environment says so. docs/runtime-facts.md has the measurements behind this.
 */
const [, , port] = process.argv;
// Says in `ps` what it is, and `killall -9 node` ends the recorder alone.
process.title = `memsurge-guardian ${port}`;
/** Start ticks by pid. */
const settled = new Map<number, string>();
// Node closes on exec what it was given itself only below the first unused number.
closeInherited(inheritedDescriptors());

const FIRST_SCAN_PAUSE = 100;
const LONGEST_SCAN_PAUSE = 2_000;
/** Of a process that starts another and ends, one scan can miss both; with a pause between, the second finds the child. */
const EMPTY_SCANS = 2;

for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM', 'SIGQUIT'] as const) process.on(signal, () => {});

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  input += text;
  for (const [, pid, ticks] of input.matchAll(/settled (\S+) (\S+)\n/g)) settled.set(Number(pid), ticks);
  input = input.slice(input.lastIndexOf('\n') + 1);
});
process.stdin.on('error', takeOver);
process.stdin.on('close', takeOver);

let taken = false;
function takeOver(): void {
  if (taken) return;
  taken = true;
  leaveWhenNobodyWaits(0, FIRST_SCAN_PAUSE);
}

/** Listens only once somebody may come: after most recordings nobody is left, and nothing was to be done. */
let listening = false;
function listen(): void {
  if (listening) return;
  listening = true;
  const server = createServer();
  resumeAll(server);
  server.on('error', () => {
    listening = false;
  });
  listenAt(server, port, () => {});
}

function resumeAll(server: Server): void {
  openReversePort(server, (runtime) => {
    // The answer does not matter: a runtime that runs already refuses, one that dies needs nothing.
    resumeRuntime(runtime.connect).catch(() => {});
  });
}

/** Sockets in the file systems of processes that do not see ours. */
const toRemove: (() => void)[] = [];

function leaveWhenNobodyWaits(emptyScans: number, pause: number): void {
  const pids = thoseWhoMayWait();
  const found = pids.length > 0;
  if (found) listen();
  for (const pid of pids) {
    const inside = listenInside(pid, port);
    if (inside === undefined) continue;
    resumeAll(inside.server);
    toRemove.push(inside.remove);
  }
  const empty = found ? 0 : emptyScans + 1;
  if (empty >= EMPTY_SCANS) {
    for (const remove of toRemove) remove();
    removePort(port);
    process.exit(0);
  }
  setTimeout(leaveWhenNobodyWaits, pause, empty, found ? Math.min(pause * 1.2, LONGEST_SCAN_PAUSE) : FIRST_SCAN_PAUSE);
}

/** The processes that have our port with "suspend" in their environment and are not settled. */
function thoseWhoMayWait(): number[] {
  const needle = Buffer.from(`${port},suspend`);
  return allPids().filter((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`).includes(needle)) return false;
      const ticks = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTicks;
      return settled.get(pid) !== ticks;
    } catch {
      return false; // Ended meanwhile, or of another user.
    }
  });
}
