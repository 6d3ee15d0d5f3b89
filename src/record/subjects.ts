import { TraceError } from '../trace/errors.ts';
import type { ManifestProcess } from '../trace/manifest.ts';
import { monotonicNow } from './clock.ts';
import { endpointConnect, findEndpoint } from './diagnostics/endpoint.ts';
import type { RecordingFolder } from './folder.ts';
import { attachToDotnet } from './native/attach/dotnet.ts';
import { attachToNative } from './native/attach/load.ts';
import { type NativeOptions, type NativePlan, planNative, requireNative } from './native/library.ts';
import type { NativeLooker } from './native/looker.ts';
import { commandLine, describeProcess, programOf } from './proc.ts';
import type { ProcSampler, SampledProcess } from './proc-sampler.ts';
import { askProcess } from './processes.ts';
import { type ChunkListener, recordRuntime } from './runtime-recorder.ts';

/** A running process that can be recorded, as far as that can be known before it is touched. */
export interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  /** How its native memory is to be recorded; undefined: not at all. */
  readonly native: NativePlan | undefined;
  /** Begins. @throws Error when it cannot be recorded after all. */
  record(into: Recording): Promise<AttachedProcess>;
}

/** What a subject records into; the looker is there when native memory is to be recorded. */
interface Recording {
  readonly folder: RecordingFolder;
  readonly sampler: ProcSampler;
  readonly looker: NativeLooker | undefined;
  readonly onChunk: ChunkListener | undefined;
}

/** A running process that is being recorded. */
export interface AttachedProcess {
  readonly process: ManifestProcess;
  readonly sampled: SampledProcess;
  /** Settles when there is nothing more to come from it. */
  readonly over: Promise<unknown>;
  /** True when that came without `stop`: it has ended, or is about to. */
  readonly endedByItself: boolean;
  stop(): Promise<void>;
}

/** How long a runtime may take to deliver the rest of its events, ms. */
const STOP_TIMEOUT = 30_000;

/**
 * A .NET process: its runtime's events and, when a mode was asked for, its native memory.
 * @throws TraceError when it has ended, does not answer, or may not be asked.
 */
export async function dotnetSubject(pid: number, options: NativeOptions): Promise<Subject> {
  const endpoint = await findEndpoint(pid);
  const info = await askProcess(pid, endpoint);
  const facts = describeProcess(pid);
  const command = facts?.arguments ?? [info.commandLine];
  const native = options.mode === undefined ? undefined : planNative(options);
  const connect = endpointConnect(endpoint);
  return {
    name: info.entryAssembly || programOf(command),
    command,
    native,
    async record({ folder, sampler, looker, onChunk }) {
      const runtime = await recordRuntime(
        folder,
        sampler,
        connect,
        { pid, parentPid: facts?.parentPid ?? 0, command, info },
        { compiledBefore: true, onChunk },
      );
      if (native && looker) {
        try {
          looker.attached(pid, await attachToDotnet(pid, connect, native, looker.path));
        } catch (error) {
          // A runtime whose events nobody reads waits for that, at its end for ever.
          await runtime.stop(STOP_TIMEOUT);
          throw error;
        }
      }
      return {
        process: runtime.process,
        sampled: runtime.sampled,
        over: runtime.streamsEnded,
        get endedByItself() {
          return runtime.endedByItself;
        },
        stop: () => runtime.stop(STOP_TIMEOUT),
      };
    },
  };
}

/**
 * A plain native process: its native memory, sampled when no mode was asked for.
 * @throws TraceError when it has ended, or native memory was not asked for or cannot be recorded here.
 */
export function nativeSubject(pid: number, options: NativeOptions): Subject {
  const facts = describeProcess(pid);
  if (facts === undefined) throw new TraceError(`process ${pid} has ended`);
  const command = facts.arguments;
  const name = programOf(command);
  if (options.mode === 'off') {
    throw new TraceError(
      `process ${pid} (${name}) is not a .NET process: all there is to record is its native memory; leave out --native off`,
    );
  }
  const native = requireNative(options);
  return {
    name,
    command,
    native,
    async record({ folder, sampler, looker }) {
      if (looker !== undefined) looker.attached(pid, await attachToNative(pid, native, looker.path));
      const process = folder.addProcess({
        pid,
        parentPid: facts.parentPid,
        name,
        commandLine: commandLine(command),
        runtime: '',
        startTime: monotonicNow(),
      });
      const sampled = sampler.add(process);
      return {
        process,
        sampled,
        over: sampled.ended,
        get endedByItself() {
          return sampled.over;
        },
        async stop() {
          sampled.lookOnce();
          sampled.stop();
        },
      };
    },
  };
}
