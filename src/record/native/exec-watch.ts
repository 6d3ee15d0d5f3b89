import { commandLine, describeProcess, programOf, readProc } from '../proc.ts';
import { lacksAgent, whyWithoutAgent } from './without-agent.ts';

/** A process that went on as another program (exec), into which the agent did not come with it. */
interface LostAgent {
  readonly pid: number;
  readonly parentPid: number;
  /** Monotonic ns at which the new program was seen first. */
  readonly since: number;
  readonly name: string;
  readonly commandLine: string;
  /** Why it did not come. */
  readonly why: string;
}

/** Watches processes that have an agent for having become another program without it. */
export interface ExecWatch {
  /** The agent of `pid` has begun. */
  begun(pid: number): void;
  /** Those that lost their agent since the call before. */
  look(now: number): LostAgent[];
}

export function watchForExec(): ExecWatch {
  const watched = new Map<number, { image: string; changed: number | undefined }>();
  return {
    begun(pid) {
      const image = imageOf(pid);
      if (image !== undefined) watched.set(pid, { image, changed: undefined });
    },
    look(now) {
      const lost: LostAgent[] = [];
      for (const [pid, one] of watched) {
        const image = imageOf(pid);
        if (image === undefined) watched.delete(pid);
        if (image === undefined || image === one.image) continue;
        one.changed ??= now;
        const isLost = lacksAgent(pid);
        if (isLost === undefined) continue;
        const facts = describeProcess(pid);
        if (isLost && facts !== undefined) {
          const { parentPid, arguments: args } = facts;
          const why = whyWithoutAgent(pid);
          lost.push({ pid, parentPid, since: one.changed, name: programOf(args), commandLine: commandLine(args), why });
        }
        // A program that has it becomes known by its file; one that has not can become another one again.
        watched.set(pid, { image, changed: undefined });
      }
      return lost;
    },
  };
}

/** proc_pid_stat(5), counted from the state: where code, stack and arguments begin. An exec lays them out anew. */
const PLACES = [23, 25, 45];

/** Tells one program that a process is from the next; undefined when it has ended. */
function imageOf(pid: number): string | undefined {
  try {
    const stat = readProc(pid, 'stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : PLACES.map((at) => fields[at]).join(' ');
  } catch {
    return undefined;
  }
}
