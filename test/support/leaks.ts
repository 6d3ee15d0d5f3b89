import { execFileSync } from 'node:child_process';
import { nativeSamplePath } from './samples.ts';

/** What the sample `leaks` knows of its own run, to the byte; samples/native/leaks/sites.h has the definitions. */
export interface LeaksExpectation {
  readonly heap: readonly ExpectedHeap[];
  readonly mappings: readonly { readonly function: string; readonly thread: string; readonly bytes: number }[];
}

/** Blocks that one function allocated in threads of one name. */
export interface ExpectedHeap {
  readonly function: string;
  readonly thread: string;
  readonly allocated: { readonly count: number; readonly bytes: number };
  readonly unreleased: { readonly count: number; readonly bytes: number };
  readonly temporaryCount: number;
  readonly peak: { readonly count: number; readonly bytes: number };
}

export function expectedOfLeaks(): LeaksExpectation {
  return JSON.parse(execFileSync(nativeSamplePath('leaks'), ['--expect'], { encoding: 'utf8' }));
}

/**
 * The function of `heap` that a stack belongs to: the innermost frame that is one. `frames` are readable names, innermost
 * first, with or without parameters.
 */
export function siteOf(frames: readonly string[], heap: readonly ExpectedHeap[]): string | undefined {
  const bare = frames.map((name) => name.replace(/\(.*/, ''));
  return bare.find((name) => heap.some((row) => row.function === name));
}
