import type { Server } from 'node:net';
import { messageOf } from '../trace/errors.ts';
import { type Connect, processInfo, resumeRuntime, setEnvironmentVariable } from './diagnostics/commands.ts';
import { openReversePort } from './diagnostics/reverse-port.ts';
import type { RecordingFolder } from './folder.ts';
import { type GuardedPort, listenInside } from './guard.ts';
import { allPids, describeProcess, findByEnvironment, readProc } from './proc.ts';
import type { ProcSampler } from './proc-sampler.ts';
import { type ChunkListener, type RecordedRuntime, recordRuntime, withTimeout } from './runtime-recorder.ts';

/** The runtimes of a launched program: itself, if it is .NET, and every .NET process below it. */
export interface RuntimeRoster {
  /** Runtimes that connected. */
  readonly count: number;
  /** Tells the pid of the launched program. */
  launched(pid: number): void;
  /** The launched program has ended, with how. */
  rootEnded(words: string): void;
  /** Ends recording: those that still run go on without us. */
  stop(): Promise<void>;
  close(): void;
}

/** How often to look for processes that cannot reach the port, ms. */
const RESCUE_INTERVAL = 1_000;

/** How long a runtime may take to deliver the rest of its events when recording stops, ms. */
const STOP_TIMEOUT = 5_000;

/**
 * Records every runtime that connects to the port, then lets it run. The launched program and its direct children wait
 * for that, so that nothing of them is missed. Deeper processes do not wait: they may outlive the recording, and what
 * they start must never depend on it; the names of what they compiled before are fetched afterwards.
 */
export function acceptRuntimes(
  port: GuardedPort,
  folder: RecordingFolder,
  sampler: ProcSampler,
  onChunk: ChunkListener | undefined,
): RuntimeRoster {
  const recorded = new Set<RecordedRuntime>();
  const starting = new Set<Promise<void>>();
  const welcomed = new Set<number>();
  let count = 0;
  let rootPid: number | undefined;
  let stopping: Promise<void> | undefined;

  const ports = [serve(port.server)];
  const toRemove: (() => void)[] = [];
  const rescue = setInterval(() => {
    for (const pid of allPids()) {
      const inside = environmentOf(pid)?.includes(port.path) ? listenInside(pid, port.path) : undefined;
      if (inside === undefined) continue;
      ports.push(serve(inside.server));
      toRemove.push(inside.remove);
    }
  }, RESCUE_INTERVAL);

  function serve(server: Server): { close(): void } {
    return openReversePort(server, ({ pid, connect, forget }) => {
      const here = findByEnvironment(pid, port.path, welcomed) ?? pid;
      welcomed.add(here);
      welcome(connect, here, () => {
        welcomed.delete(here);
        forget();
      });
    });
  }

  function welcome(connect: Connect, pid: number, forget: () => void): void {
    count++;
    const started = begin(connect, pid, forget).finally(() => starting.delete(started));
    starting.add(started);
  }

  async function begin(connect: Connect, pid: number, forget: () => void): Promise<void> {
    // Of a process that went on as another user we may not see the environment: it can be one that waits.
    const waits = environmentOf(pid)?.includes(port.launchValue) ?? true;
    let childrenWait = true;
    try {
      if (stopping === undefined) await record(connect, pid, !waits, forget);
      if (waits && pid !== rootPid) {
        // A runtime reads its environment after it was resumed: what is set now is what its children inherit.
        await setEnvironmentVariable(connect, 'DOTNET_DiagnosticPorts', port.childValue);
        childrenWait = false;
      }
    } catch (error) {
      folder.warn(`process ${pid} was not recorded: ${messageOf(error)}`);
    }
    if (!waits) return;
    // Fails only when it is gone: nothing waits then.
    await resumeRuntime(connect).catch(() => {});
    // Only now: until it was resumed the guardian must stay for it.
    const startTicks = childrenWait ? undefined : describeProcess(pid)?.startTicks;
    if (startTicks !== undefined) port.settled(pid, startTicks);
  }

  async function record(connect: Connect, pid: number, compiledBefore: boolean, forget: () => void): Promise<void> {
    const facts = describeProcess(pid);
    const info = await processInfo(connect);
    const one = await recordRuntime(
      folder,
      sampler,
      connect,
      {
        pid,
        parentPid: facts?.parentPid ?? 0,
        command: facts?.arguments ?? [info.commandLine],
        info,
      },
      { compiledBefore, onChunk },
    );
    recorded.add(one);
    void Promise.all([one.streamsEnded, one.sampled.ended]).then(() => {
      recorded.delete(one);
      forget();
    });
  }

  return {
    get count() {
      return count;
    },
    launched(pid) {
      rootPid = pid;
    },
    rootEnded(words) {
      const root = folder.manifest.processes.findLast((one) => one.pid === rootPid);
      if (root !== undefined) root.exit = words;
    },
    stop() {
      stopping ??= (async () => {
        await withTimeout(Promise.allSettled(starting), STOP_TIMEOUT);
        await Promise.all([...recorded].map(stopOne));
      })();
      return stopping;
    },
    close() {
      clearInterval(rescue);
      for (const one of ports) one.close();
      for (const remove of toRemove) remove();
    },
  };
}

async function stopOne(one: RecordedRuntime): Promise<void> {
  one.sampled.lookOnce();
  if (one.sampled.over) {
    await withTimeout(one.streamsEnded, STOP_TIMEOUT);
    return;
  }
  await one.stop(STOP_TIMEOUT);
  one.process.exit ??= 'still running when the recording stopped';
}

function environmentOf(pid: number): string | undefined {
  try {
    return readProc(pid, 'environ');
  } catch {
    return undefined;
  }
}
