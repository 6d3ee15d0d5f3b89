import type { Socket } from 'node:net';
import { exchange, IpcError, payloadReader, payloadWriter, UNKNOWN_COMMAND } from './ipc.ts';

/**
 * The commands of the diagnostics IPC that memsurge uses; layouts from dotnet/diagnostics
 * `documentation/design-docs/ipc-protocol.md`, checked on .NET 8, 9, 10 and 11.
 */

/** Opens a connection for one command: to the process's own socket, or the next one it made to our port. */
export type Connect = () => Promise<Socket>;

const EVENT_PIPE = 0x02;
const PROFILER = 0x03;
const PROCESS = 0x04;

export interface ProcessInfo {
  readonly pid: number;
  /** 16 bytes as hex: names one life of one runtime. */
  readonly cookie: string;
  readonly commandLine: string;
  /** Simple name of the program's assembly; empty before .NET 5. */
  readonly entryAssembly: string;
  /** For example "10.0.12"; empty before .NET 5. */
  readonly runtimeVersion: string;
}

export interface Provider {
  readonly name: string;
  readonly keywords: number;
  readonly level: number;
  /** Only these events, where the runtime can filter (.NET 10); elsewhere all that keywords and level select. */
  readonly eventIds?: readonly number[];
}

export interface SessionRequest {
  readonly providers: readonly Provider[];
  readonly bufferMegabytes: number;
  /** Keywords of the rundown when the session stops; 0 for none. Before .NET 9 any other value means the full rundown. */
  readonly rundown: number;
  /** False: no stacks, where the runtime can leave them out (.NET 9 on). */
  readonly stacks: boolean;
}

export interface Session {
  readonly id: bigint;
  /** Delivers the nettrace stream; paused until somebody reads it. */
  readonly stream: Socket;
}

/**
 * One version of CollectTracing: its command id, and the fields before the providers. .NET 11 has a sixth (id 0x07), which
 * can have the program wait for the reader of its events: no recorder should hold a program up.
 */
const COLLECT_VERSIONS = [
  { version: 5, id: 0x06 },
  { version: 4, id: 0x05 },
  { version: 3, id: 0x04 },
  { version: 2, id: 0x03 },
  { version: 1, id: 0x02 },
] as const;

const NETTRACE_FORMAT = 1;
const SESSION_TYPE_STREAM = 0;

/**
 * Starts an event session with the newest CollectTracing the runtime knows (5 on .NET 10 and 11, 4 on 9, 2 on 8).
 * `newest` skips versions that are known to be too new.
 * @throws IpcError when the runtime refuses.
 */
export async function collectTracing(connect: Connect, request: SessionRequest, newest = 5): Promise<Session> {
  for (const { version, id } of COLLECT_VERSIONS) {
    if (version > newest) continue;
    const stream = await connect();
    try {
      const answer = await exchange(stream, EVENT_PIPE, id, encodeCollect(version, request));
      return { id: payloadReader(answer).id(), stream };
    } catch (error) {
      stream.destroy();
      if (!(error instanceof IpcError && error.code === UNKNOWN_COMMAND) || version === 1) throw error;
    }
  }
  throw new IpcError(UNKNOWN_COMMAND);
}

/** The newest CollectTracing of a runtime by its version text, so that no connection is spent on asking. */
export function newestCollect(runtimeVersion: string): number {
  const major = Number.parseInt(runtimeVersion, 10);
  if (Number.isNaN(major) || major >= 10) return 5;
  return major === 9 ? 4 : major >= 5 ? 2 : 1;
}

export function encodeCollect(version: number, request: SessionRequest): Buffer {
  const out = payloadWriter();
  if (version >= 5) out.u32(SESSION_TYPE_STREAM);
  out.u32(request.bufferMegabytes);
  out.u32(NETTRACE_FORMAT);
  if (version >= 4) out.u64(request.rundown);
  else if (version >= 2) out.u8(request.rundown !== 0 ? 1 : 0);
  if (version >= 3) out.u8(request.stacks ? 1 : 0);
  out.u32(request.providers.length);
  for (const provider of request.providers) {
    out.u64(provider.keywords);
    out.u32(provider.level);
    out.text(provider.name);
    out.text('');
    if (version >= 5) {
      const ids = provider.eventIds ?? [];
      // An enabling filter without ids would let nothing through; a disabling one without ids lets all through.
      out.u8(ids.length > 0 ? 1 : 0);
      out.u32(ids.length);
      for (const one of ids) out.u32(one);
    }
  }
  return out.finish();
}

/** Asks the runtime to end a session; its stream then delivers what is left, the rundown, and ends. */
export async function stopTracing(connect: Connect, id: bigint): Promise<void> {
  const payload = payloadWriter();
  payload.id(id);
  await command(connect, EVENT_PIPE, 0x01, payload.finish());
}

/** Lets a runtime that waits at start-up go on. */
export async function resumeRuntime(connect: Connect): Promise<void> {
  await command(connect, PROCESS, 0x01, Buffer.alloc(0));
}

/** Sets a variable in the runtime's environment; see docs/runtime-facts.md for who sees it. */
export async function setEnvironmentVariable(connect: Connect, name: string, value: string): Promise<void> {
  const payload = payloadWriter();
  payload.text(name);
  payload.text(value);
  await command(connect, PROCESS, 0x03, payload.finish());
}

/** How long the runtime may take to attach a profiler, ms. */
const PROFILER_TIMEOUT = 10_000;

/**
 * Has the runtime load the library at `path`, as the process sees it, and ask it for the class `classId`.
 * @throws IpcError with what DllGetClassObject answered, or 0x8007007E when the library cannot be loaded.
 */
export async function attachProfiler(connect: Connect, classId: string, path: string): Promise<void> {
  const payload = payloadWriter();
  payload.u32(PROFILER_TIMEOUT);
  payload.guid(classId);
  payload.text(path);
  payload.u32(0);
  await command(connect, PROFILER, 0x01, payload.finish());
}

/** Who is there: ProcessInfo 3, else 2, else 1. */
export async function processInfo(connect: Connect): Promise<ProcessInfo> {
  for (const version of [3, 2, 1] as const) {
    try {
      const answer = await command(
        connect,
        PROCESS,
        version === 3 ? 0x08 : version === 2 ? 0x04 : 0x00,
        Buffer.alloc(0),
      );
      return decodeProcessInfo(answer, version);
    } catch (error) {
      if (!(error instanceof IpcError && error.code === UNKNOWN_COMMAND) || version === 1) throw error;
    }
  }
  throw new IpcError(UNKNOWN_COMMAND);
}

export function decodeProcessInfo(payload: Buffer, version: 1 | 2 | 3): ProcessInfo {
  const input = payloadReader(payload);
  if (version === 3) input.u32(); // version of the structure itself
  const pid = Number(input.id());
  const cookie = input.bytes(16).toString('hex');
  const commandLine = input.text();
  input.text(); // operating system
  input.text(); // architecture
  return {
    pid,
    cookie,
    commandLine,
    entryAssembly: version >= 2 ? input.text() : '',
    runtimeVersion: version >= 2 ? input.text() : '',
  };
}

async function command(connect: Connect, set: number, id: number, payload: Buffer): Promise<Buffer> {
  const socket = await connect();
  try {
    return await exchange(socket, set, id, payload);
  } finally {
    socket.destroy();
  }
}
