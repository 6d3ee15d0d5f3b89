import type { Server, Socket } from 'node:net';
import type { Connect } from './commands.ts';
import { readExactly } from './ipc.ts';

/**
 * Our end of `DOTNET_DiagnosticPorts`: runtimes connect to it, one connection per command, each opened with an
 * advertisement of 34 bytes: "ADVR_V1\0", 16 bytes cookie of the runtime, u64 pid, u16 unused
 * (dotnet/diagnostics `documentation/design-docs/ipc-protocol.md`). After each command the runtime connects again;
 * a connection nobody uses is kept open, so a runtime never connects in a loop.
 */
const ADVERTISE_MAGIC = 'ADVR_V1\0';
const ADVERTISE_SIZE = 34;
const ADVERTISE_TIMEOUT = 5_000;

/** A runtime that has connected. */
export interface AdvertisedRuntime {
  readonly cookie: string;
  /** Its pid in its own pid namespace. */
  readonly pid: number;
  /** The next connection it makes; rejects after `CONNECT_TIMEOUT` or when the port is closed. */
  readonly connect: Connect;
  /** It has ended: nothing of it is kept. */
  forget(): void;
}

const CONNECT_TIMEOUT = 15_000;

export interface Advertise {
  readonly cookie: string;
  readonly pid: number;
}

/** @throws Error when the bytes are no advertisement. */
export function decodeAdvertise(bytes: Buffer): Advertise {
  if (bytes.length !== ADVERTISE_SIZE || bytes.toString('latin1', 0, 8) !== ADVERTISE_MAGIC) {
    throw new Error('not a .NET runtime: no ADVR_V1 advertisement');
  }
  return { cookie: bytes.toString('hex', 8, 24), pid: Number(bytes.readBigUInt64LE(24)) };
}

/** Reads the advertisement of a fresh connection. */
async function readAdvertise(socket: Socket): Promise<Advertise> {
  return decodeAdvertise(await readExactly(socket, ADVERTISE_SIZE, ADVERTISE_TIMEOUT));
}

/** Serves the runtimes that connect to `server`; `onRuntime` is called once for each. */
export function openReversePort(server: Server, onRuntime: (runtime: AdvertisedRuntime) => void): { close(): void } {
  const runtimes = new Map<string, ConnectionQueue>();
  const idle = new Set<Socket>();

  server.on('connection', async (socket) => {
    idle.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => idle.delete(socket));
    let advertise: Advertise;
    try {
      advertise = await readAdvertise(socket);
    } catch {
      socket.destroy();
      return;
    }
    let queue = runtimes.get(advertise.cookie);
    const isNew = queue === undefined;
    queue ??= connectionQueue((taken) => idle.delete(taken));
    runtimes.set(advertise.cookie, queue);
    queue.offer(socket);
    if (isNew) onRuntime({ ...advertise, connect: queue.take, forget: () => runtimes.delete(advertise.cookie) });
  });

  return {
    close() {
      server.close();
      for (const socket of idle) socket.destroy();
    },
  };
}

interface ConnectionQueue {
  offer(socket: Socket): void;
  take(): Promise<Socket>;
}

/** Connections of one runtime that wait for a command, and commands that wait for a connection. */
function connectionQueue(onTaken: (socket: Socket) => void): ConnectionQueue {
  let ready: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  return {
    offer(socket) {
      const next = waiting.shift();
      if (next) next(socket);
      else ready.push(socket);
    },
    take() {
      ready = ready.filter((socket) => !socket.destroyed);
      const socket = ready.shift();
      if (socket) {
        onTaken(socket);
        return Promise.resolve(socket);
      }
      return new Promise((resolve, reject) => {
        const give = (arrived: Socket) => {
          clearTimeout(timer);
          onTaken(arrived);
          resolve(arrived);
        };
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(give), 1);
          reject(new Error('the process did not connect again'));
        }, CONNECT_TIMEOUT);
        waiting.push(give);
      });
    },
  };
}
