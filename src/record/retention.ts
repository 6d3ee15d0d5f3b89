import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest, ManifestProcess } from '../trace/manifest.ts';
import { nativeParts, seenParts } from '../trace/part-names.ts';

/** How much is kept of processes that have ended; those that still run are all kept. */
export interface RetentionLimits {
  readonly processes: number;
  /** Bytes of their parts. */
  readonly bytes: number;
}

/** So that a day of a program that starts five a second neither fills the disk nor takes minutes to read. */
export const RETENTION: RetentionLimits = { processes: 10_000, bytes: 4 * 1024 ** 3 };

/** After letting go there is room for a tenth before it must be done again. */
const AFTER = 0.9;

/** Keeps the parts of ended processes within limits: those that had least memory go, and are counted. */
export interface Retention {
  /** While a process is held its parts may still grow; releasing it says how much memory it had at most, bytes. */
  hold(process: ManifestProcess): (highest: number) => void;
  /** What was let go, as a sentence. */
  readonly dropped: string | undefined;
}

interface Kept {
  /** Bytes of its parts. */
  readonly bytes: number;
  /** Most memory it had, bytes. */
  readonly highest: number;
}

export function createRetention(folder: string, manifest: Manifest, limits: RetentionLimits): Retention {
  const holds = new Map<ManifestProcess, { count: number; highest: number }>();
  const kept = new Map<ManifestProcess, Kept>();
  let bytes = 0;
  const gone = { processes: 0, highest: 0 };

  function settle(process: ManifestProcess, highest: number): void {
    const size = partsOf(process).reduce((sum, part) => sum + sizeOf(join(folder, part)), 0);
    kept.set(process, { bytes: size, highest });
    bytes += size;
    if (kept.size > limits.processes || bytes > limits.bytes) letGo();
  }

  function letGo(): void {
    const leaving = new Set<ManifestProcess>();
    for (const [process, one] of [...kept].sort(([, a], [, b]) => a.highest - b.highest)) {
      if (kept.size <= limits.processes * AFTER && bytes <= limits.bytes * AFTER) break;
      kept.delete(process);
      bytes -= one.bytes;
      leaving.add(process);
      gone.processes++;
      gone.highest = Math.max(gone.highest, one.highest);
      for (const part of partsOf(process)) rmSync(join(folder, part), { force: true });
    }
    manifest.processes = manifest.processes.filter((one) => !leaving.has(one));
  }

  return {
    hold(process) {
      // One that had ended is found to be something more: an agent whose file came late.
      const settled = kept.get(process);
      kept.delete(process);
      bytes -= settled?.bytes ?? 0;
      const held = holds.get(process) ?? { count: 0, highest: settled?.highest ?? 0 };
      holds.set(process, held);
      held.count++;
      return (highest) => {
        held.highest = Math.max(held.highest, highest);
        if (--held.count > 0) return;
        holds.delete(process);
        if (process.endTime !== undefined) settle(process, held.highest);
      };
    },
    get dropped() {
      if (gone.processes === 0) return undefined;
      return (
        `${gone.processes} processes that ended are in no figure: of such the recording keeps those that had most memory, ` +
        `at most ${limits.processes} and ${mebibytes(limits.bytes)}; these had ${mebibytes(gone.highest)} each or less`
      );
    },
  };
}

const partsOf = (process: ManifestProcess): string[] => [
  ...seenParts(process.id),
  ...process.streams,
  ...process.native.flatMap(nativeParts),
];

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
