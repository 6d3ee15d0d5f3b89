import { appendFileSync, constants, createWriteStream, openSync, rmSync, statSync, type WriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, TraceError } from '../trace/errors.ts';
import { type Manifest, type ManifestProcess, writeManifest, writeManifestNow } from '../trace/manifest.ts';
import { TRACE_FILE_VERSION } from '../trace/part-names.ts';
import { PRIVATE_FILE, PRIVATE_FOLDER } from '../trace/private-file.ts';
import { monotonicNow } from './clock.ts';
import { isTooManyFiles } from './errno.ts';
import { createRetention, RETENTION } from './retention.ts';

/** The folder a recording is written into, in the layout of docs/architecture.md; readable at any moment. */
export interface RecordingFolder {
  readonly path: string;
  /**
   * The same folder whatever is done to its name, for all that is written: who may rename it could else lay a link in its
   * place and have root write where it leads.
   */
  readonly inside: string;
  /** Live: change it, then `save`. */
  readonly manifest: Manifest;
  /**
   * Adds a process; its id is unique even when a pid comes twice. One that is known and has not ended is the same process,
   * of which more is known now: a runtime in it, or the program that it has become.
   */
  addProcess(process: Omit<ManifestProcess, 'id' | 'streams' | 'native'>): ManifestProcess;
  /** While a process is held its parts may still grow; releasing it says how much memory it had at most, bytes. */
  hold(process: ManifestProcess): (highest: number) => void;
  /**
   * Opens a part for writing. A write error ends the recording, see `onFailure`.
   * @throws Error when too many files are open, which passes.
   */
  part(name: string): WriteStream;
  /** The same for a few rows now and then: keeps no file open. */
  append(name: string, rows: string): void;
  /** Writes the manifest as it is by then; saves are joined so that they take a small part of the time. */
  save(): Promise<void>;
  /** Writes it at once, for one who is about to end. @throws Error when it cannot be written. */
  saveNow(): void;
  /** A sentence for the reader. After {@link MOST_WARNINGS} they are only counted. */
  warn(text: string): void;
  /** Called once, with a sentence, when the folder cannot be written any more. */
  onFailure(handler: (text: string) => void): void;
  readonly failed: boolean;
  /** Closes all parts and notes the end. */
  finish(): Promise<void>;
  remove(): Promise<void>;
}

/** More is no help to anybody, and a day of children can bring one each. */
const MOST_WARNINGS = 100;

/** Room for the manifest of some hundred processes on a disk that became full; it goes before the trace is packed. */
const RESERVE = 'reserve';
const RESERVE_BYTES = 64 * 1024;

/** After a save the next one waits this many times as long as it took, ms at most. */
const SAVE_PAUSE = { times: 5, longest: 5_000 };

/**
 * Makes `OUTPUT.recording` (with a number behind it when that is taken by an earlier recording that was not finished).
 * @throws TraceError when it cannot be made.
 */
export async function createRecordingFolder(
  output: string,
  facts: Pick<Manifest, 'tool' | 'mode' | 'command'>,
  limits = RETENTION,
): Promise<RecordingFolder> {
  const { path, inside } = await makeFolder(`${output}.recording`);
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
  const retention = createRetention(inside, manifest, limits);
  /** The newest process of each pid, and how many had it. */
  const latest = new Map<number, { process: ManifestProcess; uses: number }>();
  const open = new Set<WriteStream>();
  let failed = false;
  let failureHandler: (text: string) => void = () => {};
  let furtherWarnings = 0;
  let tooManyFiles = false;

  const fail = (error: unknown) => {
    if (failed) return;
    failed = true;
    const text = `cannot write the recording (${messageOf(error).replace(inside, path)}): recording stopped, what was written so far is kept`;
    manifest.warnings.push(text);
    saveInReserve();
    failureHandler(text);
  };

  /** What was begun since the manifest was written is named in no other place. */
  const saveInReserve = () => {
    try {
      rmSync(join(inside, RESERVE));
      writeManifestNow(inside, manifestNow());
    } catch {
      // What it named before is kept.
    }
  };

  const warningsNow = () => [
    ...manifest.warnings,
    ...(tooManyFiles
      ? [
          'the limit of open files was reached (ulimit -n): parts of the resident sets, images and thread names are missing',
        ]
      : []),
    ...(retention.dropped === undefined ? [] : [retention.dropped]),
    ...(furtherWarnings === 0 ? [] : [`${furtherWarnings} more warnings like these were left out`]),
  ];
  const manifestNow = () => ({ ...manifest, warnings: warningsNow() });
  const saving = saver(() => writeManifest(inside, manifestNow()).catch(fail));

  await writeFile(join(inside, RESERVE), new Uint8Array(RESERVE_BYTES), PRIVATE_FILE)
    .then(() => writeManifest(inside, manifest))
    .catch(async (error) => {
      await rm(path, { recursive: true, force: true });
      throw cannotRecord(path, error);
    });
  return {
    path,
    inside,
    manifest,
    addProcess(facts) {
      // What was found late may tell of a process that has ended by now.
      const { process: same, uses } = latest.get(facts.pid) ?? { uses: 0 };
      const isAlive = (same?.endTime ?? Number.POSITIVE_INFINITY) > facts.startTime;
      if (same !== undefined && isAlive && (same.runtime === '' || facts.runtime === '')) {
        const { name, commandLine, runtime } = same.runtime === '' ? facts : same;
        const startTime = Math.min(same.startTime, facts.startTime);
        return Object.assign(same, { name, commandLine, runtime, startTime });
      }
      const process = {
        id: uses === 0 ? `${facts.pid}` : `${facts.pid}-${uses + 1}`,
        ...facts,
        streams: [],
        native: [],
      };
      manifest.processes.push(process);
      latest.set(facts.pid, { process, uses: uses + 1 });
      return process;
    },
    hold: retention.hold,
    part(name) {
      const target = join(inside, name);
      const file = createWriteStream(target, { flags: 'a', ...PRIVATE_FILE, ...opened(target) });
      open.add(file);
      file.on('error', fail);
      file.on('close', () => open.delete(file));
      return file;
    },
    append(name, rows) {
      if (failed) return;
      try {
        appendFileSync(join(inside, name), rows, PRIVATE_FILE);
      } catch (error) {
        if (isTooManyFiles(error)) tooManyFiles = true;
        else fail(error);
      }
    },
    save: saving.save,
    saveNow: () => writeManifestNow(inside, manifestNow()),
    warn(text) {
      if (manifest.warnings.length < MOST_WARNINGS) manifest.warnings.push(text);
      else furtherWarnings++;
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
      await saving.finish();
      await rm(join(inside, RESERVE), { force: true });
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** The descriptor of a part; none where it cannot be opened for good, which the stream then tells. */
function opened(path: string): { fd: number } | undefined {
  try {
    return { fd: openSync(path, 'a', PRIVATE_FILE.mode) };
  } catch (error) {
    if (isTooManyFiles(error)) throw error;
    return undefined;
  }
}

/** Joins saves: one that is asked for while another goes on, or in the pause after it, comes once, behind that. */
function saver(write: () => Promise<void>): { save(): Promise<void>; finish(): Promise<void> } {
  let going: Promise<void> | undefined;
  let again = false;
  let finishing = false;
  let endPause: () => void = () => {};

  async function writeAll(): Promise<void> {
    do {
      again = false;
      const start = performance.now();
      await write();
      const pause = Math.min(SAVE_PAUSE.longest, SAVE_PAUSE.times * (performance.now() - start));
      if (again && !finishing) await pauseFor(pause);
    } while (again);
    going = undefined;
  }

  function pauseFor(ms: number): Promise<void> {
    return new Promise((resolve) => {
      endPause = resolve;
      setTimeout(resolve, ms);
    });
  }

  function save(): Promise<void> {
    again = going !== undefined;
    going ??= writeAll();
    return going;
  }

  return {
    save,
    finish() {
      finishing = true;
      endPause();
      return save();
    },
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

function cannotRecord(path: string, error: unknown): TraceError {
  const why = messageOf(error).replace(/\/proc\/self\/fd\/\d+/, path);
  return new TraceError(`cannot record into ${dirname(path)} (${why}); choose another place with -o`);
}

/** A name by which a folder is found while we run, whatever becomes of its own. */
const held = (path: string) =>
  `/proc/self/fd/${openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)}`;

async function makeFolder(wanted: string): Promise<Pick<RecordingFolder, 'path' | 'inside'>> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? wanted : `${wanted}-${n}`;
    try {
      await mkdir(path, PRIVATE_FOLDER);
      const inside = held(path);
      for (const name of ['streams', 'process']) await mkdir(join(inside, name), PRIVATE_FOLDER);
      // Another's folder in place of ours would be another's, unless the file system makes everything nobody's.
      if (statSync(inside).uid !== statSync(join(inside, 'streams')).uid)
        throw new Error('somebody else has replaced it');
      return { path, inside };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && n < 1000) continue;
      throw cannotRecord(path, error);
    }
  }
}
