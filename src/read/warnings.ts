import type { ManifestProcess } from '../trace/manifest.ts';

/** Collects what goes wrong while a recording is read. */
export interface Warnings {
  /** A sentence about the whole recording. */
  add(text: string): void;
  /** Says `text` of a process; what holds of several processes is said once. */
  addOf(process: ManifestProcess, text: string): void;
  /** All of them: of the recording, then of processes. */
  list(): string[];
}

/** Processes named in one warning; the others are counted. */
const NAMED = 3;

export function createWarnings(first: readonly string[]): Warnings {
  const general = [...first];
  const processesOf = new Map<string, Set<string>>();
  return {
    add(text) {
      general.push(text);
    },
    addOf({ name, pid }, text) {
      const names = processesOf.get(text) ?? new Set();
      processesOf.set(text, names.add(`${name} (${pid})`));
    },
    list: () => [...general, ...Array.from(processesOf, ([text, names]) => `${listed([...names])}: ${text}`)],
  };
}

function listed(names: readonly string[]): string {
  // Instead of "and 1 more" the one is named.
  const named = names.length <= NAMED + 1 ? names.length - 1 : NAMED;
  const last = names.length <= NAMED + 1 ? names[named] : `${names.length - named} more`;
  return named === 0 ? last : `${names.slice(0, named).join(', ')} and ${last}`;
}
