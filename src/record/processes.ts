import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { messageOf, TraceError } from '../trace/errors.ts';
import { type ProcessInfo, processInfo } from './diagnostics/commands.ts';
import { endpointConnect, findEndpoint } from './diagnostics/endpoint.ts';
import { allPids, commandLine, describeProcess, howToBeAllowed, programOf } from './proc.ts';
import { withTimeout } from './runtime-recorder.ts';

/** A .NET process on this machine. */
export interface DotnetProcess {
  readonly pid: number;
  /** Name of the program's assembly, else of its executable. */
  readonly name: string;
  /** For example "10.0.12"; empty when it does not say. */
  readonly runtimeVersion: string;
  readonly commandLine: string;
  /** Resident set, bytes. */
  readonly rss: number;
  /** Why it cannot be attached to; undefined when it can. */
  readonly obstacle: string | undefined;
}

/** How long a process may take to say who it is, ms: one that is stopped must not hold up the list. */
const ASK_TIMEOUT = 1_000;

/** All .NET processes that can be seen from here, by pid. */
export async function listDotnetProcesses(): Promise<DotnetProcess[]> {
  const found = await Promise.all(candidates().map(look));
  return found.filter((one) => one !== undefined).sort((a, b) => a.pid - b.pid);
}

/** PID_MAX_LIMIT of a 64-bit Linux (proc_sys_kernel(5)). */
const HIGHEST_PID = 2 ** 22;
/** Of processes with a name, when one must be chosen. */
const MOST_LISTED = 20;

/**
 * The pid of `target`: a number, or the name of a process: as {@link listDotnetProcesses} gives it, or that of its program.
 * A whole name goes before a part of one, and of parts those of .NET processes go first.
 * @throws TraceError when none or several fit.
 */
export async function findTarget(target: string): Promise<number> {
  if (target.trim() === '') throw new TraceError('which process? Give its pid, or a part of its name');
  if (/^\d+$/.test(target)) {
    if (Number(target) > HIGHEST_PID) throw new TraceError(`there is no process ${target}`);
    return Number(target);
  }
  const dotnet = await listDotnetProcesses();
  const native = listOthers(new Set(dotnet.map(({ pid }) => pid)));
  const wanted = target.toLowerCase();
  const isCalled = ({ name }: { name: string }) => name.toLowerCase() === wanted;
  const holds = ({ name }: { name: string }) => name.toLowerCase().includes(wanted);
  const steps = [[...dotnet, ...native].filter(isCalled), dotnet.filter(holds), native.filter(holds)];
  const fitting = steps.find((step) => step.length > 0) ?? [];
  if (fitting.length === 0) {
    throw new TraceError(`no process is called "${target}"; "memsurge ps" lists those of .NET that run`);
  }
  if (fitting.length > 1) {
    const list = fitting
      .slice(0, MOST_LISTED)
      .map((one) => `  ${one.pid}  ${one.name}  ${one.commandLine}`)
      .concat(fitting.length > MOST_LISTED ? [`  and ${fitting.length - MOST_LISTED} more`] : [])
      .join('\n');
    throw new TraceError(`${fitting.length} processes are called "${target}", choose one by its pid:\n${list}`);
  }
  return fitting[0].pid;
}

/**
 * Asks who listens at `path`; `onConnect` is given each connection made for it.
 * @throws TraceError that says why there is no answer.
 */
export async function askProcess(
  pid: number,
  path: string,
  onConnect: (socket: Socket) => void = () => {},
): Promise<ProcessInfo> {
  const connect = endpointConnect(path);
  try {
    return await processInfo(async () => {
      const socket = await connect();
      onConnect(socket);
      return socket;
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new TraceError(`no permission to attach to process ${pid}: ${howToBeAllowed()}`);
    }
    if (code === 'ECONNREFUSED' || code === 'ENOENT')
      throw new TraceError(`process ${pid} has ended, or is just ending`);
    if (error instanceof TraceError) throw error;
    throw new TraceError(`process ${pid} cannot be recorded: ${messageOf(error)}`);
  }
}

/** All other programs but this one; the kernel's own threads have no arguments. */
function listOthers(dotnet: ReadonlySet<number>): { pid: number; name: string; commandLine: string }[] {
  return allPids()
    .filter((pid) => pid !== process.pid && !dotnet.has(pid))
    .flatMap((pid) => {
      const args = describeProcess(pid)?.arguments ?? [];
      return args.length === 0 ? [] : [{ pid, name: programOf(args), commandLine: commandLine(args) }];
    });
}

/** Whether process `pid` can be seen to be a plain native program: neither .NET nor about to be. */
export function isPlainNative(pid: number): boolean {
  return isMapped(pid, RUNTIME_OR_HOST) === false && !socketOwners().has(pid);
}

/** Processes with the runtime mapped, and those whose socket we see but whose maps we may not read. */
function candidates(): number[] {
  const sockets = socketOwners();
  return allPids().filter((pid) => sockets.has(pid) || isMapped(pid, RUNTIME));
}

function socketOwners(): Set<number> {
  const sockets = new Set<number>();
  for (const folder of new Set([tmpdir(), '/tmp'])) {
    for (const name of readFolder(folder)) {
      const match = /^dotnet-diagnostic-(\d+)-(\d+)-socket$/.exec(name);
      if (match && describeProcess(Number(match[1]))?.startTicks === match[2]) sockets.add(Number(match[1]));
    }
  }
  return sockets;
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const RUNTIME = /\/libcoreclr\.so|\/System\.Private\.CoreLib\.dll/;
/** The host is there first, and starts the runtime. */
const RUNTIME_OR_HOST = new RegExp(`${RUNTIME.source}|/libhost(fxr|policy)\\.so`);

/** Undefined when it has ended, or we may not see it. */
function isMapped(pid: number, file: RegExp): boolean | undefined {
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
    return maps === '' ? undefined : file.test(maps);
  } catch {
    return undefined;
  }
}

async function look(pid: number): Promise<DotnetProcess | undefined> {
  const facts = describeProcess(pid);
  if (facts === undefined) return undefined;
  let info: ProcessInfo | undefined;
  let obstacle: string | undefined = 'does not answer: stopped, or held by a debugger';
  const asked = new Set<Socket>();
  const answered = findEndpoint(pid)
    .then((path) => askProcess(pid, path, (socket) => asked.add(socket)))
    .then(
      (answer) => {
        info = answer;
        obstacle = undefined;
      },
      (error) => {
        obstacle = messageOf(error);
      },
    );
  // An open question would keep us from ending.
  if (!(await withTimeout(answered, ASK_TIMEOUT))) for (const socket of asked) socket.destroy();
  return {
    pid,
    name: info?.entryAssembly || programOf(facts.arguments),
    runtimeVersion: info?.runtimeVersion.split('+')[0] ?? '',
    commandLine: commandLine(facts.arguments),
    rss: facts.rss,
    obstacle,
  };
}
