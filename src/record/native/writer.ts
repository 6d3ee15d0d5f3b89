import { readlinkSync } from 'node:fs';
import { parseStatus } from '../../read/procfs/process.ts';
import { allPids, describeProcess, readProc } from '../proc.ts';
import type { AgentProcess } from './counters.ts';

/**
 * Which process, by its pids here, writes the agent's file `name`. In a pid namespace of its own (containers, sandboxes) it
 * knows itself by numbers that here are somebody else's or nobody's. Undefined when it has ended or cannot be told.
 */
export function findWriter(
  name: string,
  { pid, parentPid, pidNamespace }: AgentProcess,
): { pid: number; parentPid: number } | undefined {
  if (pidNamespace === ownPidNamespace()) return { pid, parentPid };
  const here = [pid, ...allPids()].find((one) => innermostPid(one) === pid && maps(one, name));
  return here === undefined ? undefined : { pid: here, parentPid: describeProcess(here)?.parentPid ?? 0 };
}

function ownPidNamespace(): number {
  return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]);
}

function innermostPid(pid: number): number | undefined {
  try {
    return parseStatus(readProc(pid, 'status')).namespacePids.at(-1);
  } catch {
    return undefined; // it has ended
  }
}

/** False also where we may not look. */
function maps(pid: number, name: string): boolean {
  try {
    return readProc(pid, 'maps').includes(name);
  } catch {
    return false;
  }
}
