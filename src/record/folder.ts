import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, TraceError } from '../trace/errors.ts';
import { type Manifest, type ManifestProcess, writeManifest } from '../trace/manifest.ts';
import { TRACE_FILE_VERSION } from '../trace/part-names.ts';
import { monotonicNow } from './clock.ts';

/** The folder a recording is written into, in the layout of docs/architecture.md; readable at any moment. */
export interface RecordingFolder {
  readonly path: string;
  /** Live: change it, then `save`. */
  readonly manifest: Manifest;
  /**
   * Adds a process; its id is unique even when a pid comes twice. One that is known and has not ended is the same process,
   * of which more is known now: a runtime in it, or the program that it has become.
   */
  addProcess(process: Omit<ManifestProcess, 'id' | 'streams' | 'native'>): ManifestProcess;
  /** Opens a part for writing. A write error ends the recording, see `onFailure`. */
  part(name: string): WriteStream;
  /** Writes the manifest as it is now; saves that overlap are joined. */
  save(): Promise<void>;
  warn(text: string): void;
  /** Called once, with a sentence, when the folder cannot be written any more. */
  onFailure(handler: (text: string) => void): void;
  readonly failed: boolean;
  /** Closes all parts and notes the end. */
  finish(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Makes `OUTPUT.recording` (with a number behind it when that is taken by an earlier recording that was not finished).
 * @throws TraceError when it cannot be made.
 */
export async function createRecordingFolder(
  output: string,
  facts: Pick<Manifest, 'tool' | 'mode' | 'command'>,
): Promise<RecordingFolder> {
  const path = await makeFolder(`${output}.recording`);
  const manifest: Manifest = {
    format: 'memsurge',
    version: TRACE_FILE_VERSION,
    ...facts,
    state: 'recording',
    startedAt: Date.now(),
    startTime: monotonicNow(),
    processes: [],
    warnings: [],
    blindSpots: [],
  };
  const open = new Set<WriteStream>();
  let failed = false;
  let failureHandler: (text: string) => void = () => {};
  let saving: Promise<void> | undefined;
  let saveAgain = false;

  const fail = (error: unknown) => {
    if (failed) return;
    failed = true;
    const text = `cannot write the recording (${messageOf(error)}): recording stopped, what was written so far is kept`;
    manifest.warnings.push(text);
    failureHandler(text);
  };

  const writeAll = async () => {
    do {
      saveAgain = false;
      await writeManifest(path, manifest).catch(fail);
    } while (saveAgain);
    saving = undefined;
  };

  const save = () => {
    saveAgain = saving !== undefined;
    saving ??= writeAll();
    return saving;
  };

  await writeManifest(path, manifest);
  return {
    path,
    manifest,
    addProcess(facts) {
      // What was found late may tell of a process that has ended by now.
      const same = manifest.processes.findLast(
        ({ pid, endTime = Number.POSITIVE_INFINITY }) => pid === facts.pid && endTime > facts.startTime,
      );
      if (same !== undefined && (same.runtime === '' || facts.runtime === '')) {
        const { name, commandLine, runtime } = same.runtime === '' ? facts : same;
        const startTime = Math.min(same.startTime, facts.startTime);
        return Object.assign(same, { name, commandLine, runtime, startTime });
      }
      const uses = manifest.processes.filter((other) => other.pid === facts.pid).length;
      const process = {
        id: uses === 0 ? `${facts.pid}` : `${facts.pid}-${uses + 1}`,
        ...facts,
        streams: [],
        native: [],
      };
      manifest.processes.push(process);
      return process;
    },
    part(name) {
      const file = createWriteStream(join(path, name), { flags: 'a' });
      open.add(file);
      file.on('error', fail);
      file.on('close', () => open.delete(file));
      return file;
    },
    save,
    warn(text) {
      manifest.warnings.push(text);
    },
    onFailure(handler) {
      failureHandler = handler;
    },
    get failed() {
      return failed;
    },
    async finish() {
      await Promise.all([...open].map(closed));
      manifest.endTime = monotonicNow();
      await save();
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** Ends a part; settles when all is written, or could not be. */
export function closed(file: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (file.closed) return resolve();
    file.once('close', resolve);
    file.end();
  });
}

async function makeFolder(wanted: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? wanted : `${wanted}-${n}`;
    try {
      await mkdir(path);
      await mkdir(join(path, 'streams'));
      await mkdir(join(path, 'process'));
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && n < 1000) continue;
      throw new TraceError(`cannot record into ${dirname(path)} (${messageOf(error)}); choose another place with -o`);
    }
  }
}
