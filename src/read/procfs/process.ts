/**
 * Parsers of the text files in /proc/PID, as described in proc(5). Pure: text in, values out; what a file does not say
 * is undefined, never an error, because processes vanish between two reads.
 */

export interface ProcStatus {
  readonly parentPid: number;
  /** Real user id of the owner. */
  readonly uid: number;
  /** Pid in each pid namespace, from ours to its own. */
  readonly namespacePids: readonly number[];
  /** Resident set, bytes; undefined for a process that has ended. */
  readonly rss: number | undefined;
}

/** /proc/PID/status. */
export function parseStatus(text: string): ProcStatus {
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number);
  return {
    parentPid: numbers('PPid')[0] ?? 0,
    uid: numbers('Uid')[0] ?? -1,
    namespacePids: numbers('NSpid'),
    rss: parseRssBytes(text),
  };
}

/** Only the resident set of /proc/PID/status, bytes: for sampling. */
export const parseRssBytes = (text: string): number | undefined => memoryField(text, '\nVmRSS:');

/** The highest that it ever was. */
export const parseHighestRssBytes = (text: string): number | undefined => memoryField(text, '\nVmHWM:');

function memoryField(text: string, name: string): number | undefined {
  const at = text.indexOf(name);
  return at < 0 ? undefined : Number.parseInt(text.slice(at + name.length, at + 40), 10) * 1024;
}

export interface ProcStat {
  /** "R", "S", "Z" … */
  readonly state: string;
  readonly parentPid: number;
  /** Clock ticks since boot, as text: with the pid it names one process for ever. */
  readonly startTicks: string;
  /** Wait status (exit code × 256 + signal) of one that ends or has; 0 while it runs or where we may not see it. */
  readonly waitStatus: number;
}

/** /proc/PID/stat. The command in parentheses may hold anything, so fields count from the last ")". */
export function parseStat(text: string): ProcStat | undefined {
  const end = text.lastIndexOf(')');
  if (end < 0) return undefined;
  const fields = text
    .slice(end + 2)
    .trimEnd()
    .split(' ');
  if (fields.length < 20) return undefined;
  // Field 3 (state) is fields[0]; 4 ppid, 22 starttime, 52 exit_code.
  return {
    state: fields[0],
    parentPid: Number(fields[1]),
    startTicks: fields[19],
    waitStatus: Number(fields[49] ?? 0),
  };
}

/** Arguments of /proc/PID/cmdline. */
export function parseCmdline(text: string): string[] {
  const parts = text.split('\0');
  if (parts.at(-1) === '') parts.pop();
  return parts;
}

/** Variables of /proc/PID/environ: the environment the process was started with. */
export function parseEnviron(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const entry of text.split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0 && !variables.has(entry.slice(0, equals))) {
      variables.set(entry.slice(0, equals), entry.slice(equals + 1));
    }
  }
  return variables;
}

/** An image file as it lies in memory: `base` is where its first byte is mapped. */
export interface ImageMapping {
  readonly base: number;
  readonly end: number;
  readonly path: string;
}

/**
 * Images with code in /proc/PID/maps, in address order: each run of private mappings of one file, anonymous gaps
 * between them included, of which one is executable. The runtime also maps managed images flat (shared, not
 * executable): there address = base + file offset, so those are left out.
 */
export function parseImageMappings(text: string): ImageMapping[] {
  const images: ImageMapping[] = [];
  let current: { base: number; end: number; path: string; code: boolean } | undefined;
  const close = () => {
    if (current?.code) images.push({ base: current.base, end: current.end, path: current.path });
    current = undefined;
  };
  for (const line of text.split('\n')) {
    // start-end perms offset dev inode path
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \S+\s*(.*)$/.exec(line);
    if (match === null) continue;
    const path = match[5].replace(/ \(deleted\)$/, '');
    if (path === '') continue;
    if (!path.startsWith('/') || path.startsWith('/memfd:') || match[3][3] !== 'p') {
      close();
      continue;
    }
    const executable = match[3][2] === 'x';
    // A header behind code: the same file loaded a second time, side by side.
    const secondLoad = current?.code && !executable && Number.parseInt(match[4], 16) === 0;
    if (current?.path !== path || secondLoad) close();
    current ??= { base: Number.parseInt(match[1], 16), end: 0, path, code: false };
    current.end = Number.parseInt(match[2], 16);
    current.code ||= executable;
  }
  close();
  return images;
}
