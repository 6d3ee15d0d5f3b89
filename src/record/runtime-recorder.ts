import type { Socket } from 'node:net';
import { messageOf } from '../trace/errors.ts';
import type { ManifestProcess } from '../trace/manifest.ts';
import { monotonicNow } from './clock.ts';
import {
  type Connect,
  collectTracing,
  newestCollect,
  type ProcessInfo,
  type Session,
  stopTracing,
} from './diagnostics/commands.ts';
import { closed, type RecordingFolder } from './folder.ts';
import { hidesPrecompiledCode } from './precompiled.ts';
import { commandLine, programOf } from './proc.ts';
import type { ProcSampler, SampledProcess } from './proc-sampler.ts';
import { EARLIER_METHODS, type PlannedSession, planSessions } from './sessions.ts';

/** One runtime being recorded into its parts of the folder. */
export interface RecordedRuntime {
  readonly process: ManifestProcess;
  readonly sampled: SampledProcess;
  /** Settles when its streams have ended and all of them is written. */
  readonly streamsEnded: Promise<void>;
  /** True when the streams ended without `stop`. */
  readonly endedByItself: boolean;
  /** Ends the sessions; what the runtime still holds is written first. Gives up after `timeout` ms. */
  stop(timeout: number): Promise<void>;
}

export interface RuntimeFacts {
  readonly pid: number;
  readonly parentPid: number;
  /** Its arguments, with the program first. */
  readonly command: readonly string[];
  readonly info: ProcessInfo;
}

/** Sees each chunk of the main streams, for live figures. */
export type ChunkListener = (process: ManifestProcess, chunk: Buffer) => void;

/**
 * Starts the sessions and the sampling of a runtime. `compiledBefore` fetches the names of methods that were compiled
 * before the sessions began: for a process that was running already.
 * @throws IpcError or Error when the runtime refuses the main session; the process stays in the manifest, with a warning.
 */
export async function recordRuntime(
  folder: RecordingFolder,
  sampler: ProcSampler,
  connect: Connect,
  facts: RuntimeFacts,
  options: { readonly compiledBefore: boolean; readonly onChunk?: ChunkListener | undefined },
): Promise<RecordedRuntime> {
  const { info } = facts;
  const newest = newestCollect(info.runtimeVersion);
  const process = folder.addProcess({
    pid: facts.pid,
    parentPid: facts.parentPid,
    name: info.entryAssembly || programOf(facts.command),
    commandLine: commandLine(facts.command),
    runtime: info.runtimeVersion === '' ? '' : `.NET ${info.runtimeVersion}`,
    startTime: monotonicNow(),
  });
  const release = folder.hold(process);
  const sampled = sampler.add(process);
  const sessions: Session[] = [];
  const written: Promise<void>[] = [];
  const start = async (plan: PlannedSession, onChunk: (chunk: Buffer) => void) => {
    const part = `streams/${process.id}${plan.suffix}.nettrace`;
    const session = await collectTracing(connect, plan.request, newest);
    process.streams.push(part);
    const done = writeStream(folder, session.stream, part, onChunk);
    return { session, done };
  };

  // First the names: whatever is sampled has one then, even if the process ends in the middle of this, for a runtime does
  // the rundown of its open sessions as it ends.
  const earlier = options.compiledBefore ? await start(EARLIER_METHODS, () => {}) : undefined;
  try {
    const major = Number.parseInt(info.runtimeVersion, 10) || 0;
    for (const plan of planSessions(major, hidesPrecompiledCode(facts.pid))) {
      const { session, done } = await start(plan, (chunk) => {
        sampled.codeLoaded();
        if (plan.suffix === '') options.onChunk?.(process, chunk);
      });
      // A runtime ends its sessions while the process still stands: the last chance to see what it has loaded.
      session.stream.once('end', () => sampled.lookOnce());
      sessions.push(session);
      written.push(done);
    }
    // Not awaited: the runtime waits for us.
    void folder.save();
  } catch (error) {
    for (const { stream } of sessions) stream.destroy();
    release(0);
    throw error;
  } finally {
    if (earlier !== undefined) await finishEarlier(earlier);
  }

  let stopping = false;
  let endedByItself = false;
  const streamsEnded = Promise.all(written).then(() => {
    endedByItself = !stopping;
    release(0);
  });
  return {
    process,
    sampled,
    streamsEnded,
    get endedByItself() {
      return endedByItself;
    },
    async stop(timeout) {
      sampled.lookOnce();
      if (!endedByItself) await stopSessions(timeout);
      sampled.stop();
    },
  };

  async function finishEarlier({ session, done }: { session: Session; done: Promise<void> }): Promise<void> {
    let problem = 'the runtime does not deliver them';
    await stopTracing(connect, session.id).catch((error) => {
      problem = messageOf(error);
    });
    if (!(await withTimeout(done, RUNDOWN_TIMEOUT))) {
      folder.warn(`${process.name} (${process.pid}): no names of methods compiled earlier (${problem})`);
    }
    session.stream.destroy();
    await folder.save();
  }

  async function stopSessions(timeout: number): Promise<void> {
    stopping = true;
    const stops = sessions.map((session) => stopTracing(connect, session.id).catch(() => {}));
    await withTimeout(Promise.all([...stops, streamsEnded]), timeout);
    for (const { stream } of sessions) stream.destroy();
    await streamsEnded;
  }
}

const RUNDOWN_TIMEOUT = 30_000;

/** Copies an event stream into its part until it ends, however it ends; after a write error it is read and dropped. */
function writeStream(
  folder: RecordingFolder,
  stream: Socket,
  part: string,
  onChunk: (chunk: Buffer) => void,
): Promise<void> {
  const file = folder.part(part);
  stream.on('data', onChunk);
  stream.pipe(file);
  file.on('error', () => {
    stream.unpipe(file);
    stream.resume();
  });
  return new Promise((resolve) => {
    stream.once('close', () => closed(file).then(resolve));
    stream.once('end', () => stream.destroy());
  });
}

/** Waits for `work`, but not longer than `timeout` ms. */
export async function withTimeout(work: Promise<unknown>, timeout: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeout, false);
  });
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
