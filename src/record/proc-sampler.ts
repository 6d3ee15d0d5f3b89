import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { imageRow, rssRow, threadRow } from '../read/procfs/parts.ts';
import {
  parseHighestRssBytes,
  parseImageMappings,
  parseRssBytes,
  parseStat,
  parseStatus,
} from '../read/procfs/process.ts';
import type { ManifestProcess } from '../trace/manifest.ts';
import { once } from '../trace/once.ts';
import { seenParts } from '../trace/part-names.ts';
import { costOf, monotonicNow } from './clock.ts';
import { isTooManyFiles } from './errno.ts';
import type { RecordingFolder } from './folder.ts';

/**
 * Samples /proc of the recorded processes: resident set every 25 ms, images and thread names when code was loaded. Reading status takes about 0.1 ms, maps 0.5 to 2 ms.
 */
export interface ProcSampler {
  /** Samples a process; one that is sampled already is not sampled twice. Its end, and how if seen, are noted in it. */
  add(process: ManifestProcess): SampledProcess;
  /** Samples all now and notes who has ended: nobody who ended before a process is noted to have ended after it. */
  sampleAll(): void;
  /** Resident set of all processes together, bytes. */
  readonly rss: number;
  close(): void;
}

export interface SampledProcess {
  /** True when the process has ended, or sampling was stopped. */
  readonly over: boolean;
  /** Code may have been loaded: look at the images soon. */
  codeLoaded(): void;
  /** Reads images and thread names now, for the process is about to go. */
  lookOnce(): void;
  /** Settles when the process has ended. */
  readonly ended: Promise<void>;
  stop(): void;
}

const RSS_INTERVAL = 25;
/** After so many the interval grows with the recording's age (40 minutes: 25 ms, a day: 0.9 s): files stay small enough to be read. */
const FINE_SAMPLES = 100_000;
/** The resident sets, and the looks at each process, may take at most this part of a core each. */
const BUSY_SHARE = 0.05;
/** Images and threads: often while the process starts, then at most this often when code was loaded, else each second. */
const FIRST_LOOK = 40;
const LOOK_INTERVAL = 250;
const IDLE_LOOK_INTERVAL = 1_000;
/** A thread is young this long, ms, and until it was looked at so often: a busy machine leaves long pauses. */
const YOUNG_THREAD = 300;
const YOUNG_LOOKS = 4;
/** Rows reach the file this often: what a killed recorder loses. */
const FLUSH_INTERVAL = 500;

export function startProcSampler(folder: RecordingFolder): ProcSampler {
  const all = new Set<Sampling>();
  const known = new WeakMap<ManifestProcess, Sampling>();
  const begun = monotonicNow();
  let added = 0;
  let timer = setTimeout(tick, RSS_INTERVAL);
  let pauseBefore = 0;

  function tick(): void {
    const ownPause = pauseAfter(sampleAll);
    // One that took long, as the first does, is an exception; two are not.
    const pause = Math.min(ownPause, pauseBefore);
    pauseBefore = ownPause;
    const now = monotonicNow();
    for (const one of all) one.lookIfDue(now);
    timer = setTimeout(tick, Math.max(RSS_INTERVAL, pause, (now - begun) / 1e6 / FINE_SAMPLES));
  }

  /** A child can end just after it was looked at, and its parent before it is: so all are looked at until nobody is gone. */
  function sampleAll(): void {
    const gone: Sampling[] = [];
    let before: number;
    do {
      before = gone.length;
      for (const one of all) {
        if (!one.over && one.sample(monotonicNow())) continue;
        all.delete(one);
        if (!one.over) gone.push(one);
      }
    } while (gone.length > before);
    // The latest first: a child began after its parent.
    for (const one of gone.sort((a, b) => b.number - a.number)) one.end(monotonicNow());
  }

  return {
    add(process) {
      const before = known.get(process);
      if (before !== undefined) return before;
      const one = sampling(folder, process, added++, sampleAll);
      known.set(process, one);
      all.add(one);
      if (!one.sample(monotonicNow())) sampleAll();
      return one;
    },
    sampleAll,
    get rss() {
      return [...all].reduce((sum, one) => sum + one.rss, 0);
    },
    close() {
      clearTimeout(timer);
      for (const one of all) one.stop();
    },
  };
}

/** Does `work` and tells how long to leave it alone, ms, so that it keeps to its share. */
function pauseAfter(work: () => void): number {
  return costOf(work) / 1e6 / BUSY_SHARE;
}

interface Sampling extends SampledProcess {
  /** Last resident set, bytes. */
  readonly rss: number;
  /** Its place in the order in which processes were added. */
  readonly number: number;
  /** Reads the resident set. False: the process has ended. */
  sample(now: number): boolean;
  /** Notes the end. */
  end(now: number): void;
  /** Reads images and thread names when it is time to. */
  lookIfDue(now: number): void;
}

function sampling(folder: RecordingFolder, process: ManifestProcess, number: number, sampleAll: () => void): Sampling {
  const { pid, id } = process;
  const proc = `/proc/${pid}`;
  const release = folder.hold(process);
  const [rssPart, imagePart, threadPart] = seenParts(id);
  const buffer = Buffer.alloc(8192);
  const seenImages = new Set<string>();
  const names = new Map<number, string>();
  const threadLooks = new Map<number, { readonly since: number; looks: number }>();
  let resolveEnded: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });

  /** Where its memory is seen: at its first thread, or when that has ended at another. */
  let seenAt = proc;
  // Open files stay with this process: when its pid is used again, they fail instead of showing another.
  let status = open(`${proc}/status`);
  let stat = open(`${proc}/stat`);
  const isNested = once(() => parseStatus(read(status)).namespacePids.length > 1);
  let rss = 0;
  let highest = 0;
  let rows = '';
  let lastFlush = 0;
  let lastLook = monotonicNow();
  let lookPause = FIRST_LOOK;
  let lookCost = 0;
  let lookWanted = true;
  let over = false;

  function open(path: string): number {
    try {
      return openSync(path, 'r');
    } catch (error) {
      return isTooManyFiles(error) ? NOT_YET : ENDED;
    }
  }

  function read(file: number): string {
    try {
      return file < 0 ? '' : buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
    } catch {
      return '';
    }
  }

  function sample(now: number): boolean {
    if (status === NOT_YET || stat === NOT_YET) {
      status = status === NOT_YET ? open(`${proc}/status`) : status;
      stat = stat === NOT_YET ? open(`${proc}/stat`) : stat;
      if (status === NOT_YET) return true;
    }
    let text = read(status);
    if (parseRssBytes(text) === undefined) text = statusOfAnotherThread();
    const bytes = parseRssBytes(text);
    if (bytes === undefined) return false;
    const high = Math.max(bytes, parseHighestRssBytes(text) ?? 0);
    // Since the sample before it was higher for a moment. What it was before the first one is nothing of this recording.
    if (high > highest && highest > 0 && high > bytes) rows += rssRow(now, high);
    if (bytes !== rss) rows += rssRow(now, bytes);
    rss = bytes;
    highest = Math.max(highest, high);
    if (now - lastFlush > FLUSH_INTERVAL * 1e6) flush(now);
    return true;
  }

  /** A process whose first thread has ended (pthread_exit in main) goes on. */
  function statusOfAnotherThread(): string {
    // While it can be read, the pid is nobody else's.
    if (read(stat) === '') return '';
    for (const task of tasks()) {
      const file = open(`${proc}/task/${task}/status`);
      const text = read(file);
      const isGone = parseRssBytes(text) === undefined;
      const unused = isGone ? file : status;
      if (unused >= 0) closeSync(unused);
      if (isGone) continue;
      status = file;
      seenAt = `${proc}/task/${task}`;
      return text;
    }
    return '';
  }

  function lookIfDue(now: number): void {
    const pause = lookWanted || lookPause < LOOK_INTERVAL ? lookPause : IDLE_LOOK_INTERVAL;
    if (now - lastLook > Math.max(pause, lookCost) * 1e6) look(now);
    else lookAtThreads(now, false);
  }

  function look(now: number): void {
    lastLook = now;
    lookPause = Math.min(lookPause * 1.5, LOOK_INTERVAL);
    lookWanted = false;
    lookCost = pauseAfter(() => {
      lookAtImages(now);
      lookAtThreads(now, true);
    });
  }

  function flush(now: number): void {
    lastFlush = now;
    if (rows !== '') folder.append(rssPart, rows);
    rows = '';
  }

  function lookAtImages(now: number): void {
    let text = '';
    for (const { base, end, path } of images()) {
      const key = `${base} ${path}`;
      if (seenImages.has(key)) continue;
      seenImages.add(key);
      text += imageRow(now, base, end, path);
    }
    if (text !== '') folder.append(imagePart, text);
  }

  function images() {
    try {
      return parseImageMappings(readFileSync(`${seenAt}/maps`, 'utf8'));
    } catch {
      return [];
    }
  }

  /** Names of all threads, or only of young ones: they get their names after they start, and may live for a moment. */
  function lookAtThreads(now: number, all: boolean): void {
    let text = '';
    for (const task of tasks()) {
      const id = Number(task);
      const looked = threadLooks.get(id) ?? { since: now, looks: 0 };
      threadLooks.set(id, looked);
      if (!all && looked.looks >= YOUNG_LOOKS && now - looked.since > YOUNG_THREAD * 1e6) continue;
      looked.looks++;
      const name = threadName(task);
      if (name === undefined || names.get(id) === name) continue;
      names.set(id, name);
      const own = isNested() ? idInside(task) : id;
      if (own !== undefined) text += threadRow(own, name.replaceAll('\n', ' '));
    }
    if (text !== '') folder.append(threadPart, text);
  }

  function threadName(task: string): string | undefined {
    try {
      return readFileSync(`${proc}/task/${task}/comm`, 'utf8').trimEnd();
    } catch {
      return undefined; // it has ended
    }
  }

  /** What the thread is called in its own pid namespace, as its events and the agent call it. */
  function idInside(task: string): number | undefined {
    try {
      return parseStatus(readFileSync(`${proc}/task/${task}/status`, 'latin1')).namespacePids.at(-1);
    } catch {
      return undefined;
    }
  }

  function tasks(): string[] {
    try {
      return readdirSync(`${proc}/task`);
    } catch {
      return [];
    }
  }

  function end(now: number): void {
    const waitStatus = parseStat(read(stat))?.waitStatus;
    process.endTime ??= now;
    stop();
    if (waitStatus !== undefined) process.exit ??= exitWords(waitStatus);
    void folder.save();
    resolveEnded();
  }

  function stop(): void {
    if (over) return;
    over = true;
    flush(0);
    for (const file of [status, stat]) if (file >= 0) closeSync(file);
    release(highest);
  }

  return {
    get rss() {
      return rss;
    },
    get over() {
      return over;
    },
    ended,
    codeLoaded() {
      lookWanted = true;
    },
    lookOnce() {
      if (over) return;
      look(monotonicNow());
      sampleAll();
    },
    number,
    sample,
    end,
    lookIfDue,
    stop,
  };
}

/** In place of a descriptor: of a process that has ended, and of one that cannot be looked at before others are closed. */
const ENDED = -1;
const NOT_YET = -2;

/** A wait status, as wait(2) gives it, in words. */
function exitWords(waitStatus: number): string {
  const signal = waitStatus & 0x7f;
  if (signal === 0) return `exit code ${waitStatus >> 8}`;
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return `killed by ${name ?? `signal ${signal}`}`;
}
