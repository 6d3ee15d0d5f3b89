import { closeSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { emptyBundle, parseSymbolBundle, type SymbolBundle } from '../symbols/bundle.ts';
import { collectSymbols } from '../symbols/collect.ts';
import { fileImages } from '../symbols/images.ts';
import { messageOf, TraceError } from '../trace/errors.ts';
import { openTraceFile, type TraceFile } from '../trace/file.ts';
import { NATIVE_KINDS } from '../trace/kinds.ts';
import { mostBytes, SYMBOLS_PART } from '../trace/part-names.ts';
import { openRegular } from '../trace/regular-file.ts';
import type { Trace } from '../trace/tables.ts';
import { assemble, type ProcessInput } from './assemble.ts';
import { always } from './blind-spots.ts';
import { fileChunks } from './chunks.ts';
import { mergeCaptures, readNettrace } from './nettrace/index.ts';
import { byteProgress, type OnProgress, type Progress } from './progress.ts';
import { codeInUse, readRecording, streamFacts } from './recording.ts';

/** What opening a trace tells while it goes on. */
export interface OpenOptions {
  readonly onProgress?: OnProgress;
  /**
   * Gets what a recording tells before its streams are read: a Trace without allocations, with processes, resident sets,
   * duration and warnings. Traces of other tools have no such part.
   */
  readonly onPreview?: (preview: Trace) => void;
}

/**
 * Opens a trace: a `.memsurge` file, the folder of an unfinished recording, or a `.nettrace` that another tool made.
 * A finished recording brings its symbols; for the others they are looked up on this machine.
 * @throws TraceError when the file is missing, foreign, damaged beyond use, or of a newer version.
 */
export async function openTrace(path: string, options: OpenOptions = {}): Promise<Trace> {
  switch (await sniff(path)) {
    case 'recording':
      return openRecording(path, options);
    case 'nettrace':
      return openNettrace(path, options);
  }
}

/**
 * Looks at the beginning only: good for an answer at once, before the trace is read.
 * @throws TraceError when the file is missing, foreign or of a newer version.
 */
export async function checkTrace(path: string): Promise<void> {
  if ((await sniff(path)) === 'recording') await (await openTraceFile(path)).close();
}

async function sniff(path: string): Promise<'recording' | 'nettrace'> {
  const cannotOpen = (error: unknown): never => {
    throw new TraceError(`cannot open ${path} (${messageOf(error)})`);
  };
  const entry = await stat(path).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? cannotOpen('there is no such file') : cannotOpen(error),
  );
  if (entry.isDirectory()) return 'recording';
  if (!entry.isFile()) throw new TraceError(`${path} is not a regular file`);
  if (entry.size === 0) throw new TraceError(`${path} is empty`);
  const head = Buffer.alloc(24);
  try {
    const { descriptor } = openRegular(path);
    readSync(descriptor, head, 0, head.length, 0);
    closeSync(descriptor);
  } catch (error) {
    cannotOpen(error);
  }
  if (head.toString('latin1', 0, 2) === 'PK') return 'recording';
  if (head.toString('latin1', 0, 8) === 'Nettrace' || head.includes('!FastSerialization')) return 'nettrace';
  throw new TraceError(`${path} is neither a memsurge trace nor a .nettrace file`);
}

async function openRecording(path: string, { onProgress = () => {}, onPreview }: OpenOptions): Promise<Trace> {
  const file = await openTraceFile(path);
  try {
    const { facts, processes } = await readRecording(file, {
      onProgress,
      ...(onPreview && { onPreview: (known) => onPreview(assemble(known.facts, known.processes, emptyBundle())) }),
    });
    const warnings = [...facts.warnings];
    let bundle = await savedSymbols(file, warnings);
    if (bundle === undefined) {
      bundle = await lookUpSymbols(processes, onProgress);
    }
    onProgress(ASSEMBLING);
    return assemble({ ...facts, warnings }, processes, bundle);
  } finally {
    await file.close();
  }
}

const ASSEMBLING: Progress = { text: 'putting it together', fraction: undefined };

function lookUpSymbols(processes: readonly ProcessInput[], onProgress: OnProgress): Promise<SymbolBundle> {
  const onImage = (path: string) => onProgress({ text: `looking up symbols: ${basename(path)}`, fraction: undefined });
  return collectSymbols(codeInUse(processes), fileImages(), { onImage });
}

/** The symbols in the trace; undefined where there are none, or none that can be read, which is said in `warnings`. */
async function savedSymbols(file: TraceFile, warnings: string[]): Promise<SymbolBundle | undefined> {
  if (!file.parts.has(SYMBOLS_PART)) return undefined;
  try {
    if (file.size(SYMBOLS_PART) > mostBytes(SYMBOLS_PART)) throw new TraceError(`${SYMBOLS_PART} is too large`);
    return parseSymbolBundle(await file.read(SYMBOLS_PART), file.path);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    warnings.push(`${messageOf(error)}: names and lines are looked up on this machine instead.`);
    return undefined;
  }
}

async function openNettrace(path: string, { onProgress = () => {} }: OpenOptions): Promise<Trace> {
  const { size } = await stat(path);
  const progress = byteProgress(size, onProgress);
  progress.begin(`reading ${basename(path)}`);
  const capture = await readNettrace(progress.counted(fileChunks(path), size), { size }).catch((error: unknown) => {
    throw error instanceof TraceError ? new TraceError(`${path}: ${error.message}`) : error;
  });
  const processes = mergeCaptures([capture]).map((one): ProcessInput => {
    const program = one.commandLine.split(' ')[0];
    return {
      pid: one.pid,
      parentPid: 0,
      name: basename(program) || `process ${one.pid}`,
      commandLine: one.commandLine,
      runtime: one.runtime,
      startTime: capture.startTime,
      endTime: capture.endTime,
      exit: '',
      capture: one,
      native: [],
      images: [],
      rss: { time: new Float64Array(0), value: new Float64Array(0) },
      threadNames: new Map(),
      diagnosticsOff: '',
      blindSpots: [],
    };
  });
  const bundle = await lookUpSymbols(processes, onProgress);
  const warnings = capture.truncated === undefined ? [] : [capture.truncated];
  onProgress(ASSEMBLING);
  return assemble(
    {
      source: capture.format,
      path,
      startedAt: capture.startedAt,
      mode: '',
      startTime: capture.startTime,
      endTime: capture.endTime,
      ...streamFacts([capture], warnings),
      blindSpots: [
        always('absent', NATIVE_KINDS, 'native memory is not in such a trace: it holds what the .NET runtime tells'),
      ],
    },
    processes,
    bundle,
  );
}
