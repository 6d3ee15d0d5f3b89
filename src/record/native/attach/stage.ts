import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf, TraceError } from '../../../trace/errors.ts';
import { howToBeAllowed, readProc } from '../../proc.ts';
import type { NativePlan } from '../library.ts';
import { EM_X86_64, isMusl, programKind } from '../program.ts';
import { type Injector, startInjector } from './injector.ts';

/** Where an agent makes its file. */
export interface AgentFiles {
  readonly directory: string;
  /** Takes the folder away, if it was made for this one process. */
  release(): Promise<void>;
}

/** What a process needs in order to load the agent, laid where the process can see it. */
export interface Stage {
  /** Paths as the process sees them: the agent, and the one for a process whose static TLS is exhausted. */
  readonly library: string;
  readonly tlsLibrary: string;
  readonly files: AgentFiles;
  readonly injector: Injector;
}

/**
 * Prepares process `pid` to record by `plan` into `directory`. A process that cannot reach it (another mount namespace,
 * another user) records into a folder in its own file system instead. Until `files` are released, what was laid is there.
 * @throws TraceError when the process is of a kind the agent cannot record, or may not be touched.
 */
export async function stageAgent(
  does: 'lay' | 'load',
  pid: number,
  plan: NativePlan,
  directory: string,
): Promise<Stage> {
  checkKind(pid);
  const injector = startInjector(does, pid, plan, directory);
  const tell = async (wanted: string) => {
    const { word, text } = await injector.next();
    if (word !== wanted) throw refusal(pid, inWords(text));
    return text;
  };
  try {
    const library = await tell('library');
    const tlsLibrary = await tell('tls-library');
    const place = await tell('directory');
    return { library, tlsLibrary, injector, files: agentFiles(place, place === resolve(directory), injector) };
  } catch (error) {
    await injector.end();
    throw error instanceof TraceError ? error : refusal(pid, messageOf(error));
  }
}

export const refusal = (pid: number, why: string) =>
  new TraceError(`native memory of process ${pid} cannot be recorded: ${why}`);

/** A folder that belongs to the process's user is held open: its name may lead elsewhere the next moment. */
function agentFiles(directory: string, isOurs: boolean, injector: Injector): AgentFiles {
  if (isOurs) return { directory, release: () => injector.end() };
  const folder = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return {
    directory: `/proc/self/fd/${folder}`,
    async release() {
      closeSync(folder);
      await injector.end();
    },
  };
}

/** What to do about why the injector refuses. */
export function inWords(reason: string): string {
  if (reason === 'no permission') return `no permission; ${howToBeAllowed()}`;
  if (reason !== 'not permitted') return reason;
  let scope = '0';
  try {
    scope = readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8').trim();
  } catch {}
  if (scope === '0' || process.getuid?.() === 0) {
    return `it may not be traced: ${howToBeAllowed()}; or start the program with memsurge`;
  }
  return `kernel.yama.ptrace_scope is ${scope}, so only root may load something into it; run memsurge as root, or start the program with memsurge`;
}

/** The agent is written for x64 and glibc. */
function checkKind(pid: number): void {
  let maps: string;
  try {
    maps = readProc(pid, 'maps');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw refusal(pid, inWords(code === 'EACCES' || code === 'EPERM' ? 'no permission' : 'it has ended'));
  }
  const kind = programKind(`/proc/${pid}/exe`);
  if (kind?.machine !== EM_X86_64) throw refusal(pid, 'it is not an x64 program');
  if (isMusl(kind)) throw refusal(pid, 'it is linked with musl, and the agent needs glibc');
  // Named by its version up to glibc 2.33, and by that of its interface since.
  if (!/\/libc(-[\d.]+\.so|\.so\.6)/.test(maps)) throw refusal(pid, 'it is linked statically, without glibc to hook');
}
