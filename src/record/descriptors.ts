import { closeSync, fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseStatus } from '../read/procfs/process.ts';

/**
 * What was open when this module was loaded: descriptor and what it leads to. Must be loaded before anything touches a
 * stream or opens a file for long: what is there then and not Node's was inherited.
 */
const AT_START = openDescriptors();

/** O_NONBLOCK and O_CLOEXEC, as fdinfo shows them (octal). */
const NONBLOCKING = 0o4000;
const CLOSED_ON_EXEC = 0o2000000;

/**
 * Node's first pipe can be older than its clock: 33 ms with tcmalloc preloaded, more on a busy machine. One that is taken for
 * an inherited one is closed, and Node then reads from whatever file gets its number.
 */
const NODE_STARTS_WITHIN_MS = 5_000;

/**
 * The descriptors above 2 that we were started with: for make's jobserver, socket activation, `3<file`, `<(command)`.
 * Node marks them all to be closed on exec and opens some of its own between them, in whatever numbers are free. Its own are
 * only these: epoll, an eventfd and a non-blocking pipe for each event loop, and one more pipe. An epoll that was inherited
 * cannot be told from one of Node's and is not among the answer.
 */
export function inheritedDescriptors(): number[] {
  const loops = AT_START.filter(({ link }) => link === 'anon_inode:[eventpoll]').length;
  const eventfds = AT_START.filter(({ link }) => link === 'anon_inode:[eventfd]').length;
  const pipes = AT_START.filter(({ link }) => link.startsWith('pipe:')).map(({ link }) => link);
  const isPair = (link: string) => pipes.indexOf(link) !== pipes.lastIndexOf(link);
  const pairs = new Set(pipes.filter(isPair)).size;
  const channel = (process.channel as { fd?: number } | undefined)?.fd;

  return AT_START.filter(({ fd, link }) => {
    if (fd === channel) return false;
    if (link === 'anon_inode:[eventpoll]' || link === 'anon_inode:[io_uring]') return false;
    if (link === 'anon_inode:[eventfd]') {
      const flags = flagsOf(fd);
      return !(flags & NONBLOCKING) || !(flags & CLOSED_ON_EXEC) || (eventfds > loops && ancestorHas(fd, link));
    }
    if (!isPair(link)) return true;
    return !(flagsOf(fd) & CLOSED_ON_EXEC) || isOlderThanUs(fd) || (pairs > loops + 1 && ancestorHas(fd, link));
  }).map(({ fd }) => fd);
}

/** Lets go of inherited descriptors: whoever waits for the other end of a pipe to be closed must not wait for us too. */
export function closeInherited(descriptors: readonly number[]): void {
  for (const fd of descriptors) {
    try {
      closeSync(fd);
    } catch {
      // It is closed already.
    }
  }
}

function openDescriptors(): { fd: number; link: string }[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((name) => {
      const link = linkOf('self', name);
      // The folder itself was open while it was read.
      return Number(name) <= 2 || link === undefined ? [] : [{ fd: Number(name), link }];
    });
  } catch {
    return []; // no /proc
  }
}

function linkOf(pid: number | 'self', fd: number | string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

const flagsOf = (fd: number): number =>
  Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0', 8);

const isOlderThanUs = (fd: number): boolean => fstatSync(fd).ctimeMs < performance.timeOrigin - NODE_STARTS_WITHIN_MS;

/** Whether a process above us has the same open: Node's own are ours alone. */
function ancestorHas(fd: number, link: string): boolean {
  const wanted = identity('self', fd, link);
  for (let pid = process.ppid; pid > 0; pid = parentOf(pid)) {
    try {
      for (const name of readdirSync(`/proc/${pid}/fd`)) {
        if (linkOf(pid, name) === link && identity(pid, name, link) === wanted) return true;
      }
    } catch {
      // It has ended, or is another user's.
    }
  }
  return false;
}

/** All eventfds have one link; each has an id of its own (proc_pid_fdinfo(5)). */
function identity(pid: number | 'self', fd: number | string, link: string): string {
  if (!link.endsWith('[eventfd]')) return link;
  return /eventfd-id:.*/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[0] ?? '';
}

function parentOf(pid: number): number {
  try {
    return parseStatus(readFileSync(`/proc/${pid}/status`, 'latin1')).parentPid;
  } catch {
    return 0;
  }
}
