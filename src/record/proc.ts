import { readdirSync, readFileSync } from 'node:fs';
import { parseCmdline, parseStat, parseStatus } from '../read/procfs/process.ts';
import { shellWord } from '../trace/shell-word.ts';

/** What /proc tells about a process; undefined when it has ended. */
export function describeProcess(
  pid: number,
): { parentPid: number; uid: number; startTicks: string; arguments: string[]; rss: number } | undefined {
  try {
    const status = parseStatus(readProc(pid, 'status'));
    const stat = parseStat(readProc(pid, 'stat'));
    if (stat === undefined || stat.state === 'Z') return undefined;
    return {
      parentPid: status.parentPid,
      uid: status.uid,
      startTicks: stat.startTicks,
      arguments: parseCmdline(readProc(pid, 'cmdline')),
      rss: status.rss ?? 0,
    };
  } catch {
    return undefined;
  }
}

export const readProc = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');

/** What to do about a process that we may not look at or trace. */
export function howToBeAllowed(): string {
  return process.getuid?.() === 0
    ? 'memsurge runs as root, but without the capability SYS_PTRACE: in a container, start that with --cap-add SYS_PTRACE'
    : 'run memsurge as the user it belongs to, or as root';
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * The pid here of a process that calls itself `innerPid` and has `environment` in its environment. In several pid namespaces
 * several do: then one that is not `taken`.
 */
export function findByEnvironment(
  innerPid: number,
  environment: string,
  taken: ReadonlySet<number>,
): number | undefined {
  const isInner = (pid: number) => {
    try {
      return parseStatus(readProc(pid, 'status')).namespacePids.at(-1) === innerPid;
    } catch {
      return false;
    }
  };
  return [innerPid, ...allPids()].find((pid) => !taken.has(pid) && hasEnvironment(pid, environment) && isInner(pid));
}

/** Processes that were started with `environment` in their environment, as far as we may see it. */
export const pidsByEnvironment = (environment: string): number[] =>
  allPids().filter((pid) => hasEnvironment(pid, environment));

function hasEnvironment(pid: number, environment: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(environment);
  } catch {
    return false;
  }
}

/** Arguments as one line a shell would take. */
export function commandLine(args: readonly string[]): string {
  return args.map(shellWord).join(' ');
}

/** What a person calls the program: "shop" for `dotnet /app/shop.dll`, else the name of the executable. */
export function programOf(args: readonly string[]): string {
  const base = (path: string) => path.split('/').at(-1) ?? '';
  const program = base(args[0] ?? '');
  const assembly = args.slice(1).find((one) => !one.startsWith('-'));
  return program === 'dotnet' && assembly?.endsWith('.dll') ? base(assembly).slice(0, -4) : program;
}
