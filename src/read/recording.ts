import type { ProcessCode } from '../symbols/collect.ts';
import { NAMELESS_TYPE } from '../symbols/nested-types.ts';
import { messageOf, TraceError } from '../trace/errors.ts';
import type { TraceFile } from '../trace/file.ts';
import { NATIVE_KINDS } from '../trace/kinds.ts';
import type { Manifest, ManifestProcess } from '../trace/manifest.ts';
import { AGENTS_FOLDER, mostBytes, NATIVE_FOLDER, nativeParts, SYMBOLS_PART, seenParts } from '../trace/part-names.ts';
import { nativeBlindSpots } from './agent/blind-spots.ts';
import type { AgentCapture } from './agent/capture.ts';
import { compactAgentFile } from './agent/compact.ts';
import { readAgentFile } from './agent/file.ts';
import { readLooks } from './agent/looks.ts';
import { parseResidency } from './agent/resident.ts';
import { codeOf, type ProcessInput, type RawBlindSpot, type RecordingFacts } from './assemble.ts';
import type { NativeInput } from './assemble-native.ts';
import { always } from './blind-spots.ts';
import type { ProcessCapture, StreamCapture } from './nettrace/capture.ts';
import { mergeCaptures, readNettrace } from './nettrace/index.ts';
import { parseImages, parseRss, parseThreadNames } from './procfs/parts.ts';
import { type ByteProgress, byteProgress, type OnProgress } from './progress.ts';
import { cutTypes, joinUses, nativeAddresses, usedAddresses } from './usage.ts';
import { createWarnings, type Warnings } from './warnings.ts';

/** Everything a recording holds, before symbols. */
export interface RecordingContent {
  readonly facts: RecordingFacts;
  readonly processes: readonly ProcessInput[];
}

/** What reading a recording tells while it goes on. */
export interface ReadOptions {
  readonly onProgress?: OnProgress;
  /** Gets what is known before the streams are read: the processes and their resident sets. */
  readonly onPreview?: (content: RecordingContent) => void;
}

/**
 * Reads all parts of a recording but its symbols. Streams that cannot be read become warnings: what the other parts
 * hold is never given up for one of them.
 * @throws TraceError when the container itself is damaged.
 */
export async function readRecording(file: TraceFile, options: ReadOptions = {}): Promise<RecordingContent> {
  const { manifest } = file;
  const warnings = createWarnings(manifest.warnings);
  if (manifest.state === 'recording') {
    warnings.add('The recording was not finished: the recorder ended early. Everything up to then is here.');
  }
  if (manifest.mode === 'attach') {
    warnings.add('Attached to a running process: what it had allocated before is not in this trace.');
  }
  warnOfLargeParts(file, warnings);
  const seen = [];
  for (const process of manifest.processes) seen.push(await readSeen(file, process, manifest, warnings));
  options.onPreview?.({ facts: { ...factsOf(file, seen, [], warnings.list()), preview: true }, processes: seen });

  const progress = byteProgress(sizeOfStreams(file), options.onProgress ?? (() => {}));
  const captures: StreamCapture[] = [];
  const processes: ProcessInput[] = [];
  for (const [at, process] of manifest.processes.entries()) {
    progress.begin(`reading ${process.name} (${process.pid})`);
    const streams = await readStreams(file, process, progress, warnings);
    captures.push(...streams);
    const native = await readNative(file, process, progress, warnings);
    processes.push(joined(seen[at], process, manifest, streams, native));
  }
  return { facts: factsOf(file, processes, captures, warnings.list()), processes };
}

function factsOf(
  file: TraceFile,
  processes: readonly ProcessInput[],
  captures: readonly StreamCapture[],
  warnings: readonly string[],
): RecordingFacts {
  const { manifest } = file;
  return {
    source: 'memsurge',
    path: file.path,
    startedAt: manifest.startedAt,
    mode: manifest.mode,
    isUnfinished: manifest.state === 'recording',
    startTime: manifest.startTime,
    endTime: manifest.endTime ?? Math.max(manifest.startTime, ...processes.map((process) => process.endTime)),
    ...streamFacts(captures, warnings),
    blindSpots: recordedBlindSpots(manifest, undefined),
  };
}

/** Streams are read as they come; of other parts the beginning is, as far as memory goes. */
function warnOfLargeParts(file: TraceFile, warnings: Warnings): void {
  for (const part of file.parts) {
    const most = mostBytes(part);
    if (part === SYMBOLS_PART || /^(streams|agents)\//.test(part) || file.size(part) <= most) continue;
    warnings.add(
      `${part} has ${file.size(part)} bytes, of which the first ${most} are read: what is behind is missing`,
    );
  }
}

/** What the recorder knew to be missing of a process, or of all. */
function recordedBlindSpots({ blindSpots }: Manifest, process: string | undefined): RawBlindSpot[] {
  return blindSpots
    .filter((spot) => spot.process === process)
    .map(({ kinds, from, to, effect, text }) => ({
      kinds,
      from: from ?? Number.NEGATIVE_INFINITY,
      to: to ?? Number.POSITIVE_INFINITY,
      effect,
      text,
    }));
}

function sizeOfStreams(file: TraceFile): number {
  const parts = file.manifest.processes.flatMap((process) => [...process.streams, ...process.native]);
  return parts.reduce((sum, part) => sum + file.size(part), 0);
}

const COMPILED_AHEAD =
  'A program compiled ahead of time (NativeAOT) reports its managed allocations without stacks, so they have no function and no ' +
  'line; their types are named as its symbols spell them. Its native allocations have both.';

const hasNamelessTypes = ({ types }: ProcessCapture): boolean => types.some(({ name }) => name === NAMELESS_TYPE);

/** Counts over all streams, and the warnings with what their losses mean. */
export function streamFacts(
  captures: readonly StreamCapture[],
  warnings: readonly string[],
): { events: number; eventsLost: number; warnings: string[] } {
  const sum = (pick: (capture: StreamCapture) => number) => captures.reduce((total, one) => total + pick(one), 0);
  const events = sum((capture) => capture.events);
  const eventsLost = sum((capture) => capture.eventsLost);
  const lost =
    eventsLost === 0
      ? []
      : [
          `The runtime lost ${eventsLost} of ${events + eventsLost} events ` +
            `(${((100 * eventsLost) / (events + eventsLost)).toFixed(1)} %): figures are too low by about that share.`,
        ];
  const isCompiledAhead = captures.some((one) => one.processes.some(hasNamelessTypes));
  return { events, eventsLost, warnings: [...warnings, ...lost, ...(isCompiledAhead ? [COMPILED_AHEAD] : [])] };
}

/** What symbols are needed for; processes without a readable stream need none. */
export function codeInUse(processes: readonly ProcessInput[]): ProcessCode[] {
  return processes
    .filter((process) => process.capture !== undefined || process.native.length > 0)
    .map((process) => ({
      ...codeOf(process),
      used: joinUses([
        ...(process.capture === undefined ? [] : [usedAddresses(process.capture)]),
        ...process.native.map((one) => nativeAddresses(one.capture)),
      ]),
      types: process.capture === undefined ? [] : cutTypes(process.capture),
    }));
}

async function readStreams(
  file: TraceFile,
  process: ManifestProcess,
  progress: ByteProgress,
  warnings: Warnings,
): Promise<StreamCapture[]> {
  const captures: StreamCapture[] = [];
  for (const part of process.streams) {
    try {
      const capture = await readNettrace(progress.counted(file.stream(part), file.size(part)), {
        size: file.size(part),
      });
      captures.push(capture);
      if (capture.truncated !== undefined && !capture.isCut) warnings.addOf(process, capture.truncated);
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      warnings.addOf(process, messageOf(error));
    }
  }
  const cut = endedEarly(process, captures);
  if (cut !== undefined) warnings.addOf(process, cut);
  return captures;
}

/** What the streams lack that end without an end mark, as a sentence: the runtime writes its events every 100 ms. */
function endedEarly({ endTime }: ManifestProcess, captures: readonly StreamCapture[]): string | undefined {
  const cut = captures.filter((capture) => capture.isCut);
  if (cut.length === 0) return undefined;
  const ofAllocations = cut.filter(({ processes }) => processes.some((one) => one.allocationSource !== 'none'));
  const last = Math.min(...(ofAllocations.length > 0 ? ofAllocations : cut).map((capture) => capture.endTime));
  if (endTime === undefined) return 'recording ended before the runtime had written its last events: they are missing';
  const missing = Math.max(1, Math.ceil((endTime - last) / 1e6));
  if (missing > 1000) {
    const since = `${(missing / 1000).toFixed(1)} s before the program did`;
    return `its events end ${since}, without an end mark: what came behind is missing, if there was anything`;
  }
  return `the program ended before the runtime had written its last events: up to ${missing} ms are missing`;
}

/** The agent's files of a process. One that cannot be read becomes a warning. */
async function readNative(
  file: TraceFile,
  process: ManifestProcess,
  progress: ByteProgress,
  warnings: Warnings,
): Promise<NativeInput[]> {
  const inputs: NativeInput[] = [];
  for (const part of process.native) {
    const [, looks, resident] = nativeParts(part);
    const capture = await orWarning(part, async () => readAgentFile(await agentBytes(file, part)));
    progress.add(file.size(part));
    if (capture === undefined) continue;
    const ifThere = async <T>(name: string, read: () => Promise<T>) =>
      file.parts.has(name) ? orWarning(name, read) : undefined;
    const looked = await ifThere(looks, async () => readLooks(await file.bytes(looks)));
    if (looked?.isCut) {
      warnings.addOf(
        process,
        `${looks} has more than ${looked.length} rows: what was allocated or released behind them has the time of the end`,
      );
    }
    const residency = await ifThere(resident, async () => parseResidency(await file.read(resident)));
    inputs.push({ capture, looks: looked, residency });
  }
  return inputs;

  async function orWarning<T>(part: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      warnings.addOf(process, `${part}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

/** The folder of an unfinished recording has it as the agent left it. */
async function agentBytes(file: TraceFile, part: string): Promise<Uint8Array> {
  const raw = file.pathOf(part.replace(NATIVE_FOLDER, AGENTS_FOLDER));
  return file.parts.has(part) || raw === undefined ? file.bytes(part) : compactAgentFile(raw, mostBytes(part));
}

/** A process as the recorder saw it from the outside. */
async function readSeen(
  file: TraceFile,
  process: ManifestProcess,
  manifest: Manifest,
  warnings: Warnings,
): Promise<ProcessInput> {
  const names = seenParts(process.id);
  const parts = names.map(async (name) => (file.parts.has(name) ? file.read(name) : ''));
  const [rssText, images, threads] = await Promise.all(parts);
  const [onRssCut, onImagesCut, onThreadsCut] = names.map((name) => (rows: number) => {
    warnings.addOf(process, `${name} has more than ${rows} rows, which are read: what is behind is missing`);
  });
  const rss = parseRss(rssText, onRssCut);
  return {
    pid: process.pid,
    parentPid: process.parentPid,
    name: process.name,
    commandLine: process.commandLine,
    runtime: process.runtime,
    startTime: process.startTime,
    endTime: process.endTime ?? manifest.endTime ?? Math.max(process.startTime, rss.time.at(-1) ?? 0),
    exit: process.exit ?? '',
    capture: undefined,
    native: [],
    images: parseImages(images, onImagesCut),
    rss,
    threadNames: parseThreadNames(threads, onThreadsCut),
    diagnosticsOff: process.diagnosticsOff ?? '',
    blindSpots: recordedBlindSpots(manifest, process.id),
  };
}

/** The process with what it told itself. */
function joined(
  seen: ProcessInput,
  process: ManifestProcess,
  manifest: Manifest,
  streams: readonly StreamCapture[],
  native: readonly NativeInput[],
): ProcessInput {
  // A process in a container writes its inner pid into the stream: the manifest knows whose stream it is.
  const capture = mergeCaptures(streams)[0];
  const lastSeen = Math.max(seen.endTime, ...streams.map((one) => one.endTime));
  return {
    ...seen,
    runtime: seen.runtime || (capture?.runtime ?? ''),
    endTime: process.endTime ?? manifest.endTime ?? lastSeen,
    capture,
    native,
    blindSpots: [
      ...seen.blindSpots,
      ...unreadSpots(process, native, capture, streams.length),
      ...native.flatMap(({ capture }) => spotsOf(capture, process, manifest)),
    ],
  };
}

/** What parts that cannot be read held; figures of an agent's file are missing from those of the others, where there are any. */
function unreadSpots(
  process: ManifestProcess,
  native: readonly NativeInput[],
  capture: ProcessCapture | undefined,
  streams: number,
): RawBlindSpot[] {
  const isManagedUnread = capture?.allocationSource === 'none' && streams < process.streams.length;
  const managed = isManagedUnread ? [always('absent', ['gc-heap'], 'its allocation events cannot be read')] : [];
  return [...managed, ...unreadNative(process, native)];
}

function unreadNative(process: ManifestProcess, native: readonly NativeInput[]): RawBlindSpot[] {
  const unread = process.native.length - native.length;
  if (unread === 0) return [];
  if (native.length === 0)
    return [always('absent', NATIVE_KINDS, 'what its agent recorded of native memory cannot be read')];
  const text = `of ${process.native.length} programs that it was, native memory of ${unread} cannot be read`;
  return [always('inexact', NATIVE_KINDS, text)];
}

/** What a process became without the agent is told once: by the recorder, where that saw it. */
function spotsOf(capture: AgentCapture, { id }: ManifestProcess, { blindSpots, startTime }: Manifest): RawBlindSpot[] {
  const { became } = capture;
  const isSeen = blindSpots.some(
    (spot) => spot.process === id && spot.effect === 'absent' && (spot.from ?? 0) >= (became?.time ?? 0),
  );
  return nativeBlindSpots(isSeen ? { ...capture, became: undefined } : capture, startTime);
}
