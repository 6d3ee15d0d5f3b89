import { readdirSync } from 'node:fs';
import { readProc } from '../../proc.ts';

/**
 * Where a stopped thread may be made to call into the C library: outside of it, of the loader and of allocators, whose
 * locks and half-done lists it would find again; or waiting in a system call in which nobody holds any of these.
 * Known from /proc/PID/task/TID/syscall (proc(5)): number, six arguments, stack pointer, program counter.
 */

/** Numbers for x64 of calls that wait for others: read, poll, select, pause, nanosleep, accept, recv*, wait*, sig*wait*, epoll_wait, … */
const WAITING = new Set([
  0, 7, 23, 34, 35, 43, 45, 47, 61, 128, 130, 208, 219, 220, 230, 232, 243, 247, 270, 271, 281, 288, 441,
]);
const FUTEX = 202;
const FUTEX_COMMAND = 0x7f;
const FUTEX_WAITS = new Set([0, 9]);
/** glibc's own locks, malloc's among them, and mutexes wait for this value; joins and condition variables for others. */
const LOCK_WITH_WAITERS = 2;

const UNSAFE_FILE =
  /\/(ld-linux|ld-\d|libc[.-]|libpthread|libdl|libjemalloc|libtcmalloc|libmimalloc|libmemsurge)|\[v(dso|syscall)\]/;

interface CodeRange {
  readonly start: number;
  readonly end: number;
  readonly unsafe: boolean;
}

/** A thread of the stopped process that can be interrupted; undefined when none can. */
export function safeThread(pid: number): number | undefined {
  const code = codeRanges(readProc(pid, 'maps'));
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .find((tid) => isSafe(readProc(pid, `task/${tid}/syscall`), code));
}

/** Executable mappings of /proc/PID/maps. */
export function codeRanges(maps: string): CodeRange[] {
  const ranges: CodeRange[] = [];
  for (const match of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) ..x\S* \S+ \S+ \S+ *(.*)$/gm)) {
    const [, start, end, path] = match;
    ranges.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      unsafe: UNSAFE_FILE.test(path),
    });
  }
  return ranges;
}

/** What /proc/PID/task/TID/syscall of a stopped thread says about it. */
export function isSafe(syscall: string, code: readonly CodeRange[]): boolean {
  const fields = syscall.trim().split(' ');
  const number = Number(fields[0]);
  if (Number.isNaN(number)) return false; // "running"
  if (number >= 0) return isWaiting(number, fields.slice(1).map(Number));
  const pc = Number(fields.at(-1));
  const range = code.find(({ start, end }) => pc >= start && pc < end);
  return range !== undefined && !range.unsafe;
}

function isWaiting(number: number, [, operation, value]: number[]): boolean {
  if (number !== FUTEX) return WAITING.has(number);
  return FUTEX_WAITS.has(operation & FUTEX_COMMAND) && value !== LOCK_WITH_WAITERS;
}
