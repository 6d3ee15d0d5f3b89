import { chmod, chown, copyFile, mkdtemp, open, readlink, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseStatus } from '../../../read/procfs/process.ts';
import { messageOf, TraceError } from '../../../trace/errors.ts';
import { howToBeAllowed, readProc } from '../../proc.ts';
import type { NativePlan } from '../library.ts';
import { EM_X86_64, isMusl, programKind } from '../program.ts';
import { configPath } from './protocol.ts';

/** What a process needs in order to load the agent, laid where the process can see it. */
export interface Stage {
  /** Paths as the process sees them: the agent, and the one for a process whose static TLS is exhausted. */
  readonly library: string;
  readonly tlsLibrary: string;
  /** Where the agent's file appears, as we see it. */
  readonly directory: string;
  /** Writes the configuration that the next start reads and removes. */
  configure(): Promise<void>;
  /** Removes a configuration that nobody read, and the staged libraries: a loaded library needs no path. */
  clear(): Promise<void>;
}

interface Viewer {
  readonly pid: number;
  readonly innerPid: number;
  readonly uid: number;
  readonly groups: readonly number[];
  /** What to put before its paths to reach them from here: empty, or /proc/PID/root. */
  readonly root: string;
}

/**
 * Prepares process `pid` to record by `plan` into `directory`. A process that cannot reach it (another mount namespace,
 * another user) records into a folder in its own /tmp instead.
 * @throws TraceError when the process is of a kind the agent cannot record, or may not be touched.
 */
export async function stageAgent(pid: number, plan: NativePlan, directory: string): Promise<Stage> {
  const viewer = await lookAt(pid);
  checkKind(pid);
  const temporary: string[] = [];
  const inTmp = async () => {
    const made = await mkdtemp(join(viewer.root, '/tmp/memsurge-'));
    await give(made, viewer);
    return made;
  };
  try {
    const own = resolve(directory);
    const files = viewer.root === '' && (await mayReach(own, viewer, 0o3)) ? own : await inTmp();
    const libraries = [plan.library, join(dirname(plan.library), 'libmemsurge-tls.so')];
    let folder = dirname(resolve(plan.library));
    if (viewer.root !== '' || !(await mayReach(plan.library, viewer, 0o4))) {
      folder = await inTmp();
      temporary.push(folder);
      for (const library of libraries) {
        const copy = join(folder, basename(library));
        await copyFile(library, copy);
        await give(copy, viewer);
        await chmod(copy, 0o500);
      }
    }
    const inner = (path: string) => path.slice(viewer.root.length);
    const config = join(viewer.root, configPath(viewer.innerPid));
    return {
      library: join(inner(folder), basename(libraries[0])),
      tlsLibrary: join(inner(folder), basename(libraries[1])),
      directory: files,
      configure: () => writeConfig(config, viewer, `${plan.mode},${plan.sampleBytes},${inner(files)}\n`),
      async clear() {
        for (const path of [config, ...temporary]) await rm(path, { recursive: true, force: true });
      },
    };
  } catch (error) {
    for (const path of temporary) await rm(path, { recursive: true, force: true });
    throw new TraceError(`native memory of process ${pid} cannot be recorded: ${messageOf(error)}`);
  }
}

async function lookAt(pid: number): Promise<Viewer> {
  try {
    const text = readProc(pid, 'status');
    const status = parseStatus(text);
    const links = [`/proc/${pid}/root`, `/proc/${pid}/ns/mnt`, '/proc/self/ns/mnt'];
    const [root, itsMounts, ourMounts] = await Promise.all(links.map((link) => readlink(link)));
    return {
      pid,
      innerPid: status.namespacePids.at(-1) ?? pid,
      uid: status.uid,
      groups: (/^Groups:(.*)$/m.exec(text)?.[1] ?? '').split(/\s+/).filter(Boolean).concat(gidOf(text)).map(Number),
      root: root === '/' && itsMounts === ourMounts ? '' : `/proc/${pid}/root`,
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'EACCES' || code === 'EPERM' ? `no permission; ${howToBeAllowed()}` : 'it has ended';
    throw new TraceError(`native memory of process ${pid} cannot be recorded: ${why}`);
  }
}

const gidOf = (status: string): string[] => [/^Gid:\s*\d+\s+(\d+)/m.exec(status)?.[1] ?? '-1'];

/** The agent is written for x64 and glibc. */
function checkKind(pid: number): void {
  const refuse = (why: string) => new TraceError(`native memory of process ${pid} cannot be recorded: ${why}`);
  const kind = programKind(`/proc/${pid}/exe`);
  if (kind?.machine !== EM_X86_64) throw refuse('it is not an x64 program');
  if (isMusl(kind)) throw refuse('it is linked with musl, and the agent needs glibc');
  // Named by its version up to glibc 2.33, and by that of its interface since.
  if (!/\/libc(-[\d.]+\.so|\.so\.6)/.test(readProc(pid, 'maps'))) {
    throw refuse('it is linked statically, without glibc to hook');
  }
}

/** Whether the process may do `wanted` (4 read, 2 write, 1 enter) with what lies at `path`, and enter all folders above. */
async function mayReach(path: string, viewer: Viewer, wanted: number): Promise<boolean> {
  if (viewer.uid === 0) return true;
  for (let at = resolve(path), bits = wanted; ; at = dirname(at), bits = 0o1) {
    const { uid, gid, mode } = await stat(at);
    const granted = uid === viewer.uid ? mode >> 6 : viewer.groups.includes(gid) ? mode >> 3 : mode;
    if ((granted & bits) !== bits) return false;
    if (at === dirname(at)) return true;
  }
}

/** Ours by right when we are root: the agent takes orders from its own user and root only, and root outside may be nobody inside. */
async function give(path: string, viewer: Viewer): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, viewer.uid, viewer.groups.at(-1) ?? -1);
}

async function writeConfig(path: string, viewer: Viewer, text: string): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await give(path, viewer);
}
