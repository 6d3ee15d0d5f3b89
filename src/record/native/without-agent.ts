import { readProc } from '../proc.ts';
import { changesUser, EM_X86_64, isMusl, programKind } from './program.ts';

const AGENT = 'libmemsurge';

/** Why no agent is in the running process `pid`, as far as that can be seen; it may still begin to run. */
export function whyWithoutAgent(pid: number): string {
  const program = `/proc/${pid}/exe`;
  const kind = programKind(program);
  if (kind === undefined) return "it is another user's, or has ended";
  if (kind.machine !== EM_X86_64) return 'it is not an x64 program';
  if (kind.interpreter === '') return 'it is linked statically';
  if (isMusl(kind)) return 'it is linked with musl';
  if (changesUser(program)) return 'it is a set-user-id program, into which nothing can be preloaded';
  if (kind.sanitizer !== undefined) return `it is built with ${kind.sanitizer}, which wants to be alone`;
  const maps = linesOf(pid, 'maps');
  if (maps.includes(AGENT))
    return 'the agent in it could make no file: its user or root folder is another than at its start, a limit, or no room';
  const sanitizer = /\/lib([almtu]|hwa)san\.so|\/libclang_rt\.\w*san/.exec(maps);
  if (sanitizer !== null) return 'it is built with a sanitizer, which has its own malloc';
  if (isSandboxed(pid)) return 'it gave up system calls (seccomp) that a recording needs';
  const variables = linesOf(pid, 'environ').split('\0');
  const preload = variables.find((one) => one.startsWith('LD_PRELOAD='))?.slice('LD_PRELOAD='.length);
  if (preload !== undefined && !preload.includes(AGENT)) return `LD_PRELOAD was replaced by "${preload}"`;
  if (preload === undefined) return 'it was started without the environment that loads the agent';
  return 'the agent was not loaded into it';
}

/** More filters than we live under ourselves, in a container say. */
const isSandboxed = (pid: number): boolean => filtersOf(pid) > filtersOf(process.pid);
const filtersOf = (pid: number) => Number(/^Seccomp_filters:\s*(\d+)$/m.exec(linesOf(pid, 'status'))?.[1] ?? 0);

/** True when the loader has done its work and the agent is not among what it loaded; undefined while it is at it. */
export function lacksAgent(pid: number): boolean | undefined {
  const maps = linesOf(pid, 'maps');
  if (maps === '') return undefined;
  if (maps.includes(AGENT)) return false;
  // Preloaded libraries are mapped before the C library; a static program has no loader.
  const hasLoader = /\/ld-[\w.-]+\.so|\/ld-musl-/.test(maps);
  return !hasLoader || /\/(libc[.-]|ld-musl-)/.test(maps) ? true : undefined;
}

/** Empty when it has ended, or may not be seen. */
function linesOf(pid: number, file: string): string {
  try {
    return readProc(pid, file);
  } catch {
    return '';
  }
}
