import { allPids, commandLine, describeProcess } from '../proc.ts';
import { whyWithoutAgent } from './without-agent.ts';

/** How long a process may take until its agent begins, ms: it begins with the first allocation. */
const PATIENCE = 1_000;

/** Finds the processes below a launched program in which no agent began. */
export interface BlindProcesses {
  /** New ones since the call before, as sentences; `recorded` are the pids with an agent. */
  find(recorded: ReadonlySet<number>, now: number): string[];
}

export function watchForBlindProcesses(rootPid: number): BlindProcesses {
  /** When each process was seen first, ms. */
  const seen = new Map<number, number>();
  const told = new Set<number>();
  return {
    find(recorded, now) {
      const sentences: string[] = [];
      for (const { pid, parentPid, text } of descendants(rootPid)) {
        // A child made by fork alone records from its first allocation on, which may never come.
        const isNew = !seen.has(pid);
        if (isNew) seen.set(pid, now);
        if (recorded.has(pid) || told.has(pid) || now - (seen.get(pid) ?? now) < PATIENCE) continue;
        if (!recorded.has(parentPid) && told.has(parentPid)) continue;
        told.add(pid);
        sentences.push(`process ${pid} (${text}) is not in the native figures: ${whyWithoutAgent(pid)}`);
      }
      return sentences;
    },
  };
}

function descendants(rootPid: number): { pid: number; parentPid: number; text: string }[] {
  const facts = new Map(
    allPids().flatMap((pid) => {
      const found = describeProcess(pid);
      return found === undefined ? [] : [[pid, found] as const];
    }),
  );
  const isBelow = (pid: number): boolean => {
    for (let at = pid; at > 1; at = facts.get(at)?.parentPid ?? 0) if (at === rootPid) return true;
    return false;
  };
  return [...facts]
    .filter(([pid]) => isBelow(pid))
    .map(([pid, found]) => ({ pid, parentPid: found.parentPid, text: commandLine(found.arguments).slice(0, 60) }));
}
