import { TraceError } from '../../src/trace/errors.ts';
import { random } from '../support/random.ts';
import type { Target } from './targets.ts';

/** What reading one damaged input may allocate beside its own bytes, and how long it may take where a whole one takes a moment. */
const MAX_BYTES = 96 * 2 ** 20;
const MAX_MS = 5_000;

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly what: string;
  /** The input, made as small a change of the whole one as still shows it. */
  readonly input: Uint8Array;
}

/** One change: bytes from `at` on. */
interface Change {
  readonly at: number;
  readonly bytes: readonly number[];
}

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff];

/** Changes with the places weighted to the beginning and to the end, where headers and directories are; and a length. */
function changesOf(size: number, seed: number): { readonly changes: Change[]; readonly length: number } {
  const next = random(seed);
  const place = () => [next(size), next(Math.min(size, 4096)), size - 1 - next(Math.min(size, 4096))][next(3)];
  const changes = Array.from({ length: 1 + next(12) }, () => {
    const length = next(4) === 0 ? 1 + next(64) : 1 + next(4);
    const value = () => (next(2) === 0 ? next(256) : EXTREMES[next(EXTREMES.length)]);
    const same = value();
    const isRun = next(3) === 0;
    return { at: place(), bytes: Array.from({ length }, () => (isRun ? same : value())) };
  });
  return { changes, length: next(8) === 0 ? 1 + next(size) : size };
}

function changed(whole: Uint8Array, changes: readonly Change[], length: number): Uint8Array {
  const bytes = whole.slice();
  for (const { at, bytes: values } of changes) bytes.set(values.slice(0, Math.max(0, bytes.length - at)), at);
  return bytes.subarray(0, length);
}

/** What is wrong with how `target` reads this; undefined when it survives. */
function wrong({ read }: Target, bytes: Uint8Array): string | undefined {
  const before = process.memoryUsage.rss();
  const start = performance.now();
  try {
    read(bytes);
  } catch (error) {
    if (!(error instanceof TraceError)) return `${error instanceof Error ? error.stack : error}`;
    if (/[\r\n]/.test(error.message)) return `not one line: ${error.message}`;
  }
  const ms = performance.now() - start;
  if (ms > MAX_MS) return `${Math.round(ms)} ms`;
  const grown = process.memoryUsage.rss() - before;
  // What one run left to collect is not what it holds.
  return grown > MAX_BYTES * 4 ? `${Math.round(grown / 2 ** 20)} MiB` : undefined;
}

/** Reads one damaged input; a finding is minimised: each change that it does without is taken back. */
export function fuzzOnce(target: Target, seed: number): Finding | undefined {
  let { changes, length } = changesOf(target.seed.length, seed);
  let what = wrong(target, changed(target.seed, changes, length));
  if (what === undefined) return undefined;
  for (const change of [...changes]) {
    const fewer = changes.filter((one) => one !== change);
    const still = wrong(target, changed(target.seed, fewer, length));
    if (still === undefined) continue;
    changes = fewer;
    what = still;
  }
  const whole = wrong(target, changed(target.seed, changes, target.seed.length));
  if (whole !== undefined) {
    length = target.seed.length;
    what = whole;
  }
  return { target: target.name, seed, what, input: changed(target.seed, changes, length) };
}
