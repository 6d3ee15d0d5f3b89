import { monotonicNow } from '../clock.ts';
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
  /** The agent of `pid` has begun: it has the file with this inode mapped. */
  begun(pid: number, inode: number): void;
  /** Those that lost their agent since the call before. */
  look(): LostAgent[];
}

/** How long the agent may take to begin in the next program, ms: it begins with the first allocation. */
const PATIENCE = 1_000;

interface Watched {
  /** The program in which the agent's file was seen; undefined: the process may have become another one before that. */
  image: string | undefined;
  readonly inode: number;
  /** Another program that it is, and since when that was seen, monotonic ns: the next one has a time of its own. */
  changed: { readonly image: string; readonly at: number } | undefined;
}

export function watchForExec(): ExecWatch {
  const watched = new Map<number, Watched>();

  function isUnchanged(pid: number, one: Watched, image: string): boolean {
    if (one.image === undefined && hasMapped(pid, one.inode)) one.image = image;
    return one.image === image;
  }

  /** Undefined: that cannot be told yet, or the agent is about to begin. */
  function whyLost(pid: number, changed: number, now: number): string | undefined {
    const lacks = lacksAgent(pid);
    const isLate = lacks === false && now - changed > PATIENCE * 1e6;
    return lacks || isLate ? whyWithoutAgent(pid) : undefined;
  }

  return {
    begun(pid, inode) {
      watched.set(pid, { image: undefined, inode, changed: undefined });
    },
    look() {
      const lost: LostAgent[] = [];
      for (const [pid, one] of watched) {
        const image = imageOf(pid);
        // After the look at it: never before the exec itself, of which the agent notes the time, too.
        const now = monotonicNow();
        if (image === undefined) watched.delete(pid);
        if (image === undefined || isUnchanged(pid, one, image)) continue;
        if (one.changed?.image !== image) one.changed = { image, at: now };
        const since = one.changed.at;
        const why = whyLost(pid, since, now);
        const facts = why === undefined ? undefined : describeProcess(pid);
        if (why === undefined || facts === undefined) continue;
        const { parentPid, arguments: args } = facts;
        lost.push({ pid, parentPid, since, name: programOf(args), commandLine: commandLine(args), why });
        // It can become another one again.
        watched.set(pid, { ...one, image, changed: undefined });
      }
      return lost;
    },
  };
}

function hasMapped(pid: number, inode: number): boolean {
  try {
    return readProc(pid, 'maps').includes(` ${inode} `);
  } catch {
    return false;
  }
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
