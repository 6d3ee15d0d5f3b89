import { readdirSync, readFileSync } from 'node:fs';

let limit: number | undefined;

/** How many more files this process can open now: its soft limit (RLIMIT_NOFILE, proc_pid_limits(5)) less what is open. */
export function openFilesLeft(): number {
  try {
    limit ??= Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity);
    return limit - readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
